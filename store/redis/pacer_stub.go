package redis

import (
	"context"

	"github.com/spillway-go/spillway/store"
)

func (s *Store) AllowPaced(ctx context.Context, key store.Key, ask store.PaceAsk) (store.PaceGrant, error) {
	panic("later")
}
func (s *Store) RejectPaced(ctx context.Context, key store.Key, rejection store.PaceRejection) (store.PaceRejected, error) {
	panic("later")
}
func (s *Store) ReturnPaced(ctx context.Context, key store.Key, location string) error {
	panic("later")
}
