// Package redis is a [store.Store] over Redis 7 or Valkey 8: one server, a replicated one behind
// Sentinel, or a cluster. Replicas of a service that share it keep to the quotas of their projects
// together.
//
// # The server
//
// Open connects in the background and again whenever a connection breaks, so a server that is away
// keeps no program from starting and no call waiting: a call fails within its Timeout. What a store
// keeps is lost with the server's memory. Replicas then report what they used in the last minute,
// so persistence is of no use here. Let no memory policy evict keys: give the server enough memory,
// and set maxmemory-policy to noeviction. All time is the server's. The primaries of a cluster and
// those that take over need clocks in step to within a few milliseconds.
//
// Every operation is one script, called by its hash and sent in full if the server does not know
// it. SCRIPT LOAD, functions, and client-side caching are not used. The keys of a script lie in one
// hash slot. No script is sent a second time after it may have run.
//
// # Keys
//
// Each key and the one channel begin with the prefix, by default "spillway". What follows is a hash
// or a fixed word in braces. Names are hashed, and nothing holds a credential. Every key expires: a
// window two minutes after its last use or a minute after its day, a fact when it says so, an order
// a day after its last use, a pace an hour after it, the fleet after an hour of silence.
//
// # Permissions
//
// A user of the server needs these permissions and no others, with the prefix in place of
// "spillway" if it is another:
//
//	ACL SETUSER spillway on >PASSWORD resetkeys resetchannels ~spillway* &spillway* -@all
//	    +eval +evalsha +ping +subscribe +publish +time +select +cluster|slots +cluster|shards
//	    +get +set +del +pexpireat +hget +hmget +hgetall +hset +hdel
//	    +zadd +zcard +zrem +zrangebyscore +zrevrange +zremrangebyscore
//
// Without a cluster those of CLUSTER may be left out, and SELECT without the number of a database.
// Behind Sentinel ROLE is needed as well.
package redis
