// River's producer or worker process in the benchmark; speaks the protocol of ../program/protocol.ts.
//
//	river migrate <url> | river serve <settings as JSON>
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

type settings struct {
	URL         string `json:"url"`
	Concurrency int    `json:"concurrency"`
	Tuned       bool   `json:"tuned"`
}

type command struct {
	Do            string  `json:"do"`
	First         int     `json:"first"`
	Callers       int     `json:"callers"`
	ForMs         float64 `json:"forMs"`
	CountMax      int     `json:"countMax"`
	RatePerSecond float64 `json:"ratePerSecond"`
	Count         int     `json:"count"`
	Batch         int     `json:"batch"`
	WithinMs      float64 `json:"withinMs"`
}

type produced struct {
	Count     int     `json:"count"`
	StartedAt float64 `json:"startedAt"`
	EndedAt   float64 `json:"endedAt"`
}

type task struct {
	N      int     `json:"n"`
	SentAt float64 `json:"sentAt"`
	Text   string  `json:"text"`
}

func (task) Kind() string { return "load" }

type worker struct {
	river.WorkerDefaults[task]
	ledger *ledger
}

func (w *worker) Work(_ context.Context, job *river.Job[task]) error {
	w.ledger.note(job.Args)
	return nil
}

type program struct {
	settings settings
	pool     *pgxpool.Pool
	inserter *river.Client[pgx.Tx]
	runner   *river.Client[pgx.Tx]
	ledger   *ledger
}

var text = strings.Repeat("x", 100)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if os.Args[1] == "migrate" {
		return migrate(ctx, os.Args[2])
	}
	program := &program{ledger: &ledger{}}
	if err := json.Unmarshal([]byte(os.Args[2]), &program.settings); err != nil {
		return err
	}
	if err := program.open(ctx); err != nil {
		return err
	}
	answers := json.NewEncoder(os.NewFile(3, "answers"))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var command command
		if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
			return err
		}
		result, err := program.obey(ctx, command)
		if err != nil {
			err = answers.Encode(map[string]string{"error": err.Error()})
		} else {
			err = answers.Encode(map[string]any{"ok": result})
		}
		if err != nil || command.Do == "end" {
			return err
		}
	}
	return fmt.Errorf("the harness is gone")
}

func migrate(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

func (p *program) open(ctx context.Context) error {
	config, err := pgxpool.ParseConfig(p.settings.URL)
	if err != nil {
		return err
	}
	// As many as the other contenders' pools have; pgx's default is one for each core, at least 4.
	config.MaxConns = 10
	if p.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	p.inserter, err = river.NewClient(riverpgxv5.New(p.pool), &river.Config{Logger: quiet()})
	return err
}

func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

func (p *program) obey(ctx context.Context, command command) (any, error) {
	switch command.Do {
	case "produce":
		return p.produce(ctx, command)
	case "produceBulk":
		return p.produceBulk(ctx, command)
	case "consume":
		return struct{}{}, p.consume(ctx)
	case "await":
		p.ledger.complete(command.First, command.Count, time.Duration(command.WithinMs*float64(time.Millisecond)))
		return p.ledger.runs(command.First, command.Count), nil
	case "stopConsuming", "end":
		if p.runner == nil {
			return struct{}{}, nil
		}
		err := p.runner.Stop(ctx)
		p.runner = nil
		return struct{}{}, err
	}
	return nil, fmt.Errorf("unknown command %q", command.Do)
}

func (p *program) consume(ctx context.Context) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{ledger: p.ledger})
	config := &river.Config{
		Logger:  quiet(),
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: p.settings.Concurrency}},
		Workers: workers,
	}
	if p.settings.Tuned {
		// What River's own benchmark sets.
		config.FetchCooldown = 2 * time.Millisecond
		config.FetchPollInterval = 20 * time.Millisecond
	}
	var err error
	if p.runner, err = river.NewClient(riverpgxv5.New(p.pool), config); err != nil {
		return err
	}
	return p.runner.Start(ctx)
}

func (p *program) produce(ctx context.Context, command command) (*produced, error) {
	startedAt := time.Now()
	var next atomic.Int64
	err := together(command.Callers, func() error {
		for since(startedAt) < command.ForMs {
			n := int(next.Add(1)) - 1
			if n >= command.CountMax {
				next.Store(int64(command.CountMax))
				return nil
			}
			if command.RatePerSecond > 0 {
				time.Sleep(time.Until(startedAt.Add(time.Duration(float64(n) / command.RatePerSecond * float64(time.Second)))))
			}
			if _, err := p.inserter.Insert(ctx, newTask(command.First+n), nil); err != nil {
				return err
			}
		}
		return nil
	})
	return &produced{Count: int(next.Load()), StartedAt: epochMs(startedAt), EndedAt: epochMs(time.Now())}, err
}

func (p *program) produceBulk(ctx context.Context, command command) (*produced, error) {
	startedAt := time.Now()
	var next atomic.Int64
	err := together(command.Callers, func() error {
		for {
			from := int(next.Add(int64(command.Batch))) - command.Batch
			if from >= command.Count {
				return nil
			}
			var params []river.InsertManyParams
			for n := from; n < min(from+command.Batch, command.Count); n++ {
				params = append(params, river.InsertManyParams{Args: newTask(command.First + n)})
			}
			if _, err := p.inserter.InsertManyFast(ctx, params); err != nil {
				return err
			}
		}
	})
	return &produced{Count: command.Count, StartedAt: epochMs(startedAt), EndedAt: epochMs(time.Now())}, err
}

func newTask(n int) task {
	return task{N: n, SentAt: epochMs(time.Now()), Text: text}
}

func together(callers int, call func() error) error {
	var group sync.WaitGroup
	errs := make(chan error, callers)
	for range callers {
		group.Go(func() { errs <- call() })
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func epochMs(at time.Time) float64 {
	return float64(at.UnixNano()) / 1e6
}

func since(at time.Time) float64 {
	return float64(time.Since(at)) / 1e6
}
