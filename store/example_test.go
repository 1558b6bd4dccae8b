package store_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spillway-go/spillway/store"
)

// Two replicas share ten requests a minute. Then one is cut off from the store.
func ExampleMemory() {
	memory := store.NewMemory(time.Millisecond)
	one, two := memory.Replica(), memory.Replica()

	ask := func(r *store.Replica, member string, requests int64) {
		grants, _, err := r.Take(context.Background(), member, []store.Ask{{
			Key:      store.Key{Kind: store.KindWindow, Name: "project/model"},
			Limits:   store.Limits{RPM: 10},
			Requests: requests,
		}})
		if err != nil {
			fmt.Println(member, "failed:", err)
			return
		}
		fmt.Println(member, "got", grants[0].Requests, "of", grants[0].Used.Requests)
	}
	ask(one, "0000000000000001", 4)
	ask(two, "0000000000000002", 4)
	ask(one, "0000000000000001", 4)
	two.SetFault(store.Fault{Err: errors.New("connection refused")})
	ask(two, "0000000000000002", 4)
	// Output:
	// 0000000000000001 got 4 of 4
	// 0000000000000002 got 4 of 8
	// 0000000000000001 got 2 of 10
	// 0000000000000002 failed: connection refused
}
