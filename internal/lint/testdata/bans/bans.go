// Package bans breaks every ban.
package bans

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"hash/maphash"
	"iter"
	"log"
	"maps"
	"math/rand"
	randv2 "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// All breaks them.
func All(m map[string]int, c chan int) {
	go func() { defer func() { _ = recover() }() }()
	select {
	default:
	}
	c <- 1
	<-c
	for range c {
		break
	}
	for k := range m {
		_ = k
	}
	Generic(m)
	fmt.Printf("%% and %p, not %%p", &m)
	var mu sync.Mutex
	mu.Lock()
	atomic.AddInt64(new(int64), 1)
	_ = context.Background()
	_, _ = iter.Pull(slices.Values([]int{1}))
	_ = rand.Int()
	_ = randv2.Int()
	_ = crand.Reader
	_ = maphash.MakeSeed()
	_ = time.Now()
	time.Sleep(1)
	_ = time.After(1)
	_ = time.Local
	_ = time.Time{}.Local()
	_ = os.Getpid()
	_ = exec.Command("true")
	_, _ = net.Dial("", "")
	_ = runtime.NumGoroutine()
	log.Print()
	_ = syscall.Getpid()
	_ = reflect.ValueOf(m).MapKeys()
	_ = slices.Collect(maps.Values(m))
	_ = slices.Collect(maps.Keys(m))
}

// Generic ranges over a map that is a type parameter.
func Generic[M ~map[string]int](m M) {
	for k := range m {
		_ = k
	}
}
