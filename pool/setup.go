package pool

import "cloud.google.com/go/auth"

// setup is a configuration at work. Reload puts another in its place.
type setup struct {
	cfg      Config
	projects []*project
	gone     []*project                         // taken away by reloads
	secrets  []string                           // the text of every key
	adc      func() (auth.TokenProvider, error) // application default credentials, found once
}

// newSetup checks cfg and makes projects of it, which have seen nothing yet.
func newSetup(cfg Config, adc func() (auth.TokenProvider, error)) (*setup, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &setup{cfg: cfg, adc: adc}
	for _, c := range cfg.Projects {
		project, err := newProject(c, adc)
		if err != nil {
			return nil, err
		}
		s.projects = append(s.projects, project)
		for _, k := range project.keys {
			s.secrets = append(s.secrets, k.secret.Reveal())
		}
	}
	return s, nil
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
