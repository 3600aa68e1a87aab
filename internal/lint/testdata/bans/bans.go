// Package bans breaks every ban once.
package bans

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"sync"
	"time"
)

var counter int

var mu sync.Mutex

// All breaks them.
func All(m map[string]int, c chan int) {
	go func() { defer func() { _ = recover() }() }()
	select {
	case <-c:
	default:
	}
	for k := range m {
		fmt.Printf("%p", &k)
	}
	counter++
	mu.Lock()
	_ = context.Background()
	_ = rand.Int()
	_ = time.Now()
	time.Sleep(1)
	_ = os.Getpid()
}
