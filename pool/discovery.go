package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/internal/credential"
)

const (
	// discoverEvery is how often it is asked what a project has, plus up to a tenth. What could not
	// be read and may pass is asked again after discoverAgain, or up to twice that.
	discoverEvery = time.Hour
	discoverAgain = 5 * time.Minute
	// discoverStart bounds the random pause before the first question: replicas start together.
	discoverStart = time.Second
	// discoverGap is the least time between two questions about a project: a file may be reloaded
	// many times.
	discoverGap = time.Minute
	// discoverBatch is how long an answer waits for those about other projects, so that they are
	// taken over together.
	discoverBatch = 100 * time.Millisecond
	// discoverAtOnce is how many projects are asked about at the same time.
	discoverAtOnce = 8
	// discoverTimeout bounds all questions about a project, discoverGrace how much later the answer may
	// come.
	discoverTimeout, discoverGrace = 3 * time.Minute, 5 * time.Second
)

// discovery asks in the background what the projects really have: one goroutine for each project
// with Discover. A nil discovery is of a pool that cannot ask.
type discovery struct {
	pool  *Pool
	ask   func(context.Context, Project) (Project, error)
	slots chan struct{}

	mu        sync.Mutex
	closed    bool
	explorers map[topic]*explorer
	found     map[topic]found
	due       *time.Timer  // of the answers that are not taken over yet; nil: there is none
	news      []discovered // of those
}

// explorer asks about one project.
type explorer struct {
	cancel context.CancelFunc
	kick   chan struct{}

	// Guarded by the discovery:
	declared Project // as the configuration has it
	asked    Project // to ask about
	adc      func() (auth.TokenProvider, error)
	told     map[incident]bool // at the last answer
}

func newDiscovery(p *Pool, ask func(context.Context, Project) (Project, error)) *discovery {
	if ask == nil {
		return nil
	}
	return &discovery{
		pool: p, ask: ask, slots: make(chan struct{}, discoverAtOnce),
		explorers: make(map[topic]*explorer), found: make(map[topic]found),
	}
}

// follow asks about the projects of a setup that has come into force. What was found of others is
// forgotten.
func (d *discovery) follow(s *setup) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	wanted := make(map[topic]bool)
	for _, p := range s.projects {
		if !p.Discover {
			continue
		}
		id := p.topic()
		wanted[id] = true
		e := d.explorers[id]
		if e == nil {
			e = d.startLocked(id)
		}
		i := slices.IndexFunc(s.cfg.Projects, func(c Project) bool { return c.Name == p.Name })
		e.declared, e.adc = s.cfg.Projects[i], s.adc
		e.asked = e.declared
		e.asked.ProjectID, e.asked.Locations = p.ProjectID, p.Locations
		select {
		case e.kick <- struct{}{}:
		default: // it was kicked already
		}
	}
	for id, e := range d.explorers {
		if !wanted[id] {
			e.cancel()
			delete(d.explorers, id)
			delete(d.found, id)
		}
	}
}

func (d *discovery) startLocked(id topic) *explorer {
	ctx, cancel := context.WithCancel(context.Background())
	e := &explorer{cancel: cancel, kick: make(chan struct{}, 1)}
	d.explorers[id] = e
	go d.explore(ctx, id, e)
	return e
}

// close ends all questions.
func (d *discovery) close() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, e := range d.explorers {
		e.cancel()
	}
	if d.due != nil {
		d.due.Stop()
	}
}

// explore asks about a project until ctx ends.
func (d *discovery) explore(ctx context.Context, id topic, e *explorer) {
	timer := time.NewTimer(rand.N(discoverStart))
	defer timer.Stop()
	<-e.kick // follow's own
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if !d.enter(ctx, e) {
			return
		}
		asked := time.Now()
		again, ended := d.question(ctx, id, e)
		<-d.slots
		timer.Reset(again)
		select {
		case <-ctx.Done():
			return
		case <-ended: // no other question while this one hangs
		}
		select {
		case <-ctx.Done():
			return
		case <-e.kick: // the file may be about what has changed
			timer.Reset(max(rand.N(discoverStart), discoverGap-time.Since(asked)))
		case <-timer.C:
			timer.Reset(0)
		}
	}
}

// enter waits for a slot. What was reloaded before counts in the question that follows.
func (d *discovery) enter(ctx context.Context, e *explorer) bool {
	select {
	case <-ctx.Done():
		return false
	case d.slots <- struct{}{}:
	}
	select {
	case <-e.kick:
	default:
	}
	return true
}

// question asks once, and returns when to ask again. Discover, or a provider of tokens, may heed no
// context: then the answer does not count, and ended is closed later.
func (d *discovery) question(ctx context.Context, id topic, e *explorer) (again time.Duration, ended <-chan struct{}) {
	d.mu.Lock()
	project, adc := e.asked, e.adc
	d.mu.Unlock()
	within, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	type reply struct {
		answer Project
		err    error
	}
	done, got := make(chan struct{}), make(chan reply, 1)
	go func() {
		defer close(done)
		answer, err := d.askWith(within, project, adc)
		got <- reply{answer, err}
	}()
	late := time.NewTimer(discoverTimeout + discoverGrace)
	defer late.Stop()
	var r reply
	select {
	case r = <-got:
	case <-late.C:
		r.err = errDiscoverHangs
	case <-ctx.Done():
		return 0, done
	}
	problems := joined(r.err)
	again = discoverEvery + rand.N(discoverEvery/10)
	if within.Err() != nil || slices.ContainsFunc(problems, passing) {
		again = discoverAgain + rand.N(discoverAgain)
	}
	d.take(id, e, &discovered{project: project.Name, places: project.Locations, answer: r.answer, problems: problems})
	return again, done
}

// askWith asks with the project's credentials, or with those of the machine. These may come later.
func (d *discovery) askWith(ctx context.Context, p Project, adc func() (auth.TokenProvider, error)) (answer Project, err error) {
	if p.Credentials == nil {
		if p.Credentials, err = adc(); err != nil {
			p.Credentials, err = credential.Default()
		}
		if err != nil {
			return Project{}, unidentified{err}
		}
	}
	defer func() {
		if r := recover(); r != nil { // a bug there must not end the process
			answer, err = Project{}, errDiscoverPanics
		}
	}()
	return d.ask(ctx, p)
}

// unidentified is that there are no credentials to ask with.
type unidentified struct{ error }

// Remedy says what to do.
func (unidentified) Remedy() string {
	return "run `gcloud auth application-default login`, or set credentials: API keys cannot ask what their project has"
}

var (
	errDiscoverPanics = errors.New("pool: Discover panics")
	errDiscoverHangs  = errors.New("pool: Discover does not answer in time")
)

// joined returns the errors that err joins, or err itself.
func joined(err error) []error {
	if err == nil {
		return nil
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	return []error{err}
}

func partial(err error) bool {
	p, ok := err.(interface{ Partial() bool })
	return ok && p.Partial()
}

func passing(err error) bool {
	p, ok := err.(interface{ Passing() bool })
	return ok && p.Passing()
}
