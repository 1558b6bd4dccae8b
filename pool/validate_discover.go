package pool

import "github.com/spillway-go/spillway/internal/credential"

// projectID checks the Google Cloud project id, which may be empty.
func (f *faults) projectID(at string, p *Project) {
	if p.ProjectID != "" && (!projectIDSyntax.MatchString(p.ProjectID) || credential.Looks(p.ProjectID)) {
		f.add(at+".project_id", "project_id is not a Google Cloud project id",
			`write the id as the console shows it, such as "acme-prod"`)
	}
}

// discover checks what is said of asking Google what a project has.
func (f *faults) discover(at string, p *Project) {
	switch {
	case p.Discover && p.Backend == BackendGemini && p.ProjectID == "":
		f.add(at+".discover", "discover does not know the Google Cloud project that the keys belong to",
			`write project_id = "…", as the console shows it`)
	case !p.Discover && p.DiscoverURL != "":
		f.add(at+".discover_url", "discover_url is for projects with discover", "write discover = true, or leave it out")
	}
	f.baseURL(at+".discover_url", "discover_url", p.DiscoverURL)
}
