package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// dashboardPath is the page for people. Its URLs are relative, so it works at any other path that
// ends in a slash, too, if the paths of what it shows stand beside it.
const dashboardPath = "/spillway/"

//go:embed dashboard
var dashboardFolder embed.FS

// dashboardFile is a file of the page. All of them are parts of the program: they change with it.
type dashboardFile struct {
	kind, tag string // Content-Type, ETag
	content   []byte
}

// dashboardFiles are the files by name; the page itself is "".
var dashboardFiles = readDashboard()

// kinds are the content types by extension. Those of the machine may be wrong or absent.
var kinds = map[string]string{
	".html": "text/html; charset=UTF-8",
	".css":  "text/css; charset=UTF-8",
	".js":   "text/javascript; charset=UTF-8",
	".svg":  "image/svg+xml",
}

func readDashboard() map[string]dashboardFile {
	files := map[string]dashboardFile{}
	entries, _ := fs.ReadDir(dashboardFolder, "dashboard") // it is embedded: a test sees that it is there
	for _, e := range entries {
		content, _ := fs.ReadFile(dashboardFolder, "dashboard/"+e.Name())
		sum := sha256.Sum256(content)
		file := dashboardFile{kinds[path.Ext(e.Name())], `"` + hex.EncodeToString(sum[:8]) + `"`, content}
		files[strings.TrimPrefix(e.Name(), "index.html")] = file
	}
	return files
}

// policy lets the page load its own files, ask its own origin, and nothing else: no inline script or
// style, no form, no frame. https://www.w3.org/TR/CSP3/
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// withDashboard adds the paths of the page's files to those for operators.
func withDashboard(all map[string]operator) map[string]operator {
	for name := range dashboardFiles {
		all[dashboardPath+name] = operator{http.MethodGet, (*sidecar).dashboard, false, true}
	}
	all[strings.TrimSuffix(dashboardPath, "/")] = operator{http.MethodGet, (*sidecar).toDashboard, false, true}
	return all
}

// opensDashboard reports whether a person follows a link to the page, perhaps on a page of another
// origin: in chats and runbooks there are such. The page has nothing of the sidecar in it, and no other
// page can look inside. https://www.w3.org/TR/fetch-metadata/
func opensDashboard(req *http.Request) bool {
	path := strings.TrimSuffix(strings.TrimPrefix(req.URL.Path, strings.TrimSuffix(dashboardPath, "/")), "/")
	return path == "" && (req.Method == http.MethodGet || req.Method == http.MethodHead) &&
		req.Header.Get("Sec-Fetch-Mode") == "navigate" && req.Header.Get("Sec-Fetch-Dest") == "document"
}

// toDashboard leads who left the slash out to the page, whatever path a proxy has put before it.
func (s *sidecar) toDashboard(c *client, _ *http.Request) {
	c.Header().Set("Location", strings.TrimPrefix(dashboardPath, "/"))
	c.WriteHeader(http.StatusPermanentRedirect)
}

// dashboard serves a file of the page. What it shows is asked for by its script.
func (s *sidecar) dashboard(c *client, req *http.Request) {
	_, name := path.Split(req.URL.Path)
	file, ok := dashboardFiles[name]
	if !ok {
		refuse(c, http.StatusNotFound, "NOT_FOUND", "the page has no such file")
		return
	}
	h := c.Header()
	h.Set("Content-Type", file.kind)
	h.Set("ETag", file.tag)
	h.Set("Cache-Control", "no-cache") // a new version of the program has other files
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(c, req, "", time.Time{}, bytes.NewReader(file.content))
}
