package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// dump returns every key that the server holds, with its values.
func (s *server) dump(ctx context.Context) (lines []string, err error) {
	keys, err := s.do(ctx, "KEYS", "*").AsStrSlice()
	if err != nil {
		return nil, err
	}
	slices.Sort(keys)
	for _, key := range keys {
		kind, err := s.do(ctx, "TYPE", key).ToString()
		if err != nil {
			return nil, err
		}
		read := map[string][]string{
			"string": {"GET", key}, "hash": {"HGETALL", key}, "zset": {"ZRANGE", key, "0", "-1", "WITHSCORES"},
			"set": {"SMEMBERS", key}, "list": {"LRANGE", key, "0", "-1"},
		}[kind]
		if read == nil { // it has expired, or is of a kind that nothing here makes
			if kind != "none" {
				return nil, fmt.Errorf("key %s is a %s", key, kind)
			}
			continue
		}
		value, err := s.do(ctx, read...).ToAny()
		if err != nil {
			continue // it has expired
		}
		lines = append(lines, fmt.Sprintf("%s %s %v", key, kind, value))
	}
	return lines, nil
}

// leaks returns what some lines show of what they must not, by its name.
func leaks(where string, lines []string, secrets map[string]string) (found []string) {
	for name, secret := range secrets {
		if slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, secret) }) {
			found = append(found, name+" in "+where)
		}
	}
	slices.Sort(found)
	return found
}

// secrets returns what neither the server's keys nor the logs may show.
func (t *trial) secrets() map[string]string {
	all := map[string]string{"the password": t.server.password, "a prompt": prompt}
	for i := range projects {
		for _, key := range keysOf(i) {
			all["the key "+key] = key
		}
	}
	all["the key "+slotsKey] = slotsKey
	for i, answer := range t.load.answers {
		all[fmt.Sprintf("answer %d", i)] = answer
	}
	return all
}

// search looks for secrets in what the server holds and in what the replicas have logged.
func (t *trial) search(ctx context.Context) error {
	lines, err := t.server.dump(ctx)
	if err != nil {
		return err
	}
	t.result.keys = len(lines)
	secrets := t.secrets()
	t.result.leaks = leaks("the server's keys", lines, secrets)
	if err := os.WriteFile(t.dir+"/dump", []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return err
	}
	for _, r := range t.fleet {
		log, err := r.log()
		if err != nil {
			return err
		}
		t.result.leaks = append(t.result.leaks, leaks("a log", []string{log}, secrets)...)
	}
	return nil
}
