package main

import (
	"slices"
	"sync"
	"time"
)

const latenciesMax = 10_000

type start struct {
	at, sentAt float64
	count      int
}

// A ledger knows which tasks have started in this process, how often and when.
type ledger struct {
	mutex  sync.Mutex
	starts map[int]*start
	// What complete waits for.
	first, end, missing int
	done                chan struct{}
}

type runs struct {
	Started     int       `json:"started"`
	Repeats     int       `json:"repeats"`
	FirstAt     float64   `json:"firstAt"`
	LastAt      float64   `json:"lastAt"`
	LatenciesMs []float64 `json:"latenciesMs"`
}

func (l *ledger) note(task task) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.starts == nil {
		l.starts = map[int]*start{}
	}
	if again, ok := l.starts[task.N]; ok {
		again.count++
		return
	}
	l.starts[task.N] = &start{at: epochMs(time.Now()), sentAt: task.SentAt, count: 1}
	if l.done != nil && task.N >= l.first && task.N < l.end {
		if l.missing--; l.missing == 0 {
			close(l.done)
		}
	}
}

func (l *ledger) complete(first, count int, within time.Duration) {
	done := make(chan struct{})
	l.mutex.Lock()
	missing := count
	for n := first; n < first+count; n++ {
		if _, ok := l.starts[n]; ok {
			missing--
		}
	}
	l.first, l.end, l.missing = first, first+count, missing
	if missing > 0 {
		l.done = done
	}
	l.mutex.Unlock()
	if missing > 0 {
		select {
		case <-done:
		case <-time.After(within):
		}
	}
	l.mutex.Lock()
	l.done = nil
	l.mutex.Unlock()
}

func (l *ledger) runs(first, count int) runs {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	result := runs{LatenciesMs: []float64{}}
	every := (count + latenciesMax - 1) / latenciesMax
	for n := first; n < first+count; n++ {
		start, ok := l.starts[n]
		if !ok {
			continue
		}
		result.Started++
		result.Repeats += start.count - 1
		if result.Started == 1 || start.at < result.FirstAt {
			result.FirstAt = start.at
		}
		result.LastAt = max(result.LastAt, start.at)
		if n%every == 0 {
			result.LatenciesMs = append(result.LatenciesMs, start.at-start.sentAt)
		}
	}
	slices.Sort(result.LatenciesMs)
	return result
}
