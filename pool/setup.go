package pool

import (
	"time"

	"cloud.google.com/go/auth"
)

// setup is a configuration at work. Reload replaces it.
type setup struct {
	cfg      Config
	projects []*project
	secrets  []string                           // the text of every key
	adc      func() (auth.TokenProvider, error) // application default credentials, found once
	labelled bool                               // a project is for calls with some labels alone
}

// newSetup checks cfg and makes projects of it and of what was discovered, which have seen nothing
// yet.
func newSetup(cfg Config, adc func() (auth.TokenProvider, error), f *fleet, d *discovery) (*setup, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s, kin := &setup{cfg: cfg, adc: adc}, cfg.kin()
	for _, c := range cfg.Projects {
		for _, k := range c.Keys {
			s.secrets = append(s.secrets, k.Reveal())
		}
		known := d.of(&cfg, kin, &c)
		c = cfg.fenced(c)
		c.Provisioned = append(c.Provisioned, known.used...)
		if len(c.Locations)+len(c.Provisioned) == 0 {
			continue // nothing of it is inside the fence
		}
		project, err := newProject(cfg.divided(c), adc)
		if err != nil {
			return nil, err
		}
		project.share, project.found = cfg.part(), known
		if err := f.shareOrders(project); err != nil {
			return nil, err
		}
		s.projects = append(s.projects, project)
		s.labelled = s.labelled || len(project.Labels) > 0
	}
	return s, nil
}

// connect gives the setup its entries. It returns the orders in whose place the memory had another.
func (s *setup) connect(memory *entries, now time.Time) (replaced map[*order]bool) {
	replaced = make(map[*order]bool)
	for _, p := range s.projects {
		p.connect(memory, now, replaced)
	}
	return replaced
}

// project returns the project of that name, or nil.
func (s *setup) project(name string) *project {
	for _, p := range s.projects {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// projectID returns the Google Cloud project id of a project on Vertex AI; "" of others.
func (s *setup) projectID(name string) string {
	for _, project := range s.projects {
		if project.Name == name && project.Backend == BackendVertex {
			return project.ProjectID
		}
	}
	return ""
}

// usesADC reports whether a project has application default credentials.
func (s *setup) usesADC() bool {
	for _, p := range s.projects {
		if p.Credentials == nil && len(p.keys) == 0 {
			return true
		}
	}
	return false
}
