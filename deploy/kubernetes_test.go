package deploy_test

import (
	"bufio"
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"

	"github.com/spillway-go/spillway/config"
)

// manifests returns the documents of a file, each as its type. A field that the type does not have is
// an error, as is a type that is not expected.
func manifests(t *testing.T, file string) []any {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []any
	for documents := yaml.NewYAMLReader(bufio.NewReader(f)); ; {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		var head struct{ APIVersion, Kind string }
		if err := strict.Unmarshal(text, &head); err != nil {
			t.Fatal(err)
		}
		made := map[string]any{
			"apps/v1 Deployment": new(apps.Deployment), "v1 ConfigMap": new(core.ConfigMap),
			"v1 Service": new(core.Service), "policy/v1 PodDisruptionBudget": new(policy.PodDisruptionBudget),
			"networking.k8s.io/v1 NetworkPolicy": new(networking.NetworkPolicy),
		}[head.APIVersion+" "+head.Kind]
		if made == nil {
			t.Fatalf("%s has a %s %s", file, head.APIVersion, head.Kind)
		}
		if err := strict.UnmarshalStrict(text, made); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		all = append(all, made)
	}
}

// of returns the documents of one type.
func of[T any](all []any) (some []*T) {
	for _, one := range all {
		if is, ok := one.(*T); ok {
			some = append(some, is)
		}
	}
	return some
}

func TestManifestsFitTheAPI(t *testing.T) {
	for _, file := range []string{"kubernetes/sidecar.yaml", "kubernetes/gateway.yaml"} {
		all := manifests(t, file)
		for _, d := range of[apps.Deployment](all) {
			if !fits(d.Spec.Selector.MatchLabels, d.Spec.Template.Labels) {
				t.Errorf("%s: the selector of %s does not fit its pods", file, d.Name)
			}
			mounted(t, file, d, all)
			hardened(t, file, d, spillwayFile(t, file, all))
		}
		pods := of[apps.Deployment](all)[0].Spec.Template
		for _, s := range of[core.Service](all) {
			if !fits(s.Spec.Selector, pods.Labels) || !slices.ContainsFunc(pods.Spec.Containers[0].Ports, func(p core.ContainerPort) bool {
				return p.Name == s.Spec.Ports[0].TargetPort.StrVal
			}) {
				t.Errorf("%s: the Service does not fit the pods", file)
			}
		}
		for _, b := range of[policy.PodDisruptionBudget](all) {
			if !fits(b.Spec.Selector.MatchLabels, pods.Labels) {
				t.Errorf("%s: the PodDisruptionBudget does not fit the pods", file)
			}
		}
		for _, n := range of[networking.NetworkPolicy](all) {
			if !fits(n.Spec.PodSelector.MatchLabels, pods.Labels) {
				t.Errorf("%s: the NetworkPolicy does not fit the pods", file)
			}
		}
	}
}

// fits reports whether a selector selects labels.
func fits(selector, labels map[string]string) bool {
	for name, value := range selector {
		if labels[name] != value {
			return false
		}
	}
	return len(selector) > 0
}

// mounted checks that what a pod mounts and reads is there.
func mounted(t *testing.T, file string, d *apps.Deployment, all []any) {
	t.Helper()
	spec := d.Spec.Template.Spec
	volumes := map[string]bool{}
	for _, v := range spec.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil && !slices.ContainsFunc(of[core.ConfigMap](all), func(c *core.ConfigMap) bool { return c.Name == v.ConfigMap.Name }) {
			t.Errorf("%s: volume %s has no ConfigMap", file, v.Name)
		}
	}
	for _, c := range append(spec.InitContainers, spec.Containers...) {
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s: container %s mounts %s, which is none of the pod's volumes", file, c.Name, m.Name)
			}
			if m.SubPath != "" {
				t.Errorf("%s: container %s mounts %s by subPath, which does not follow changes", file, c.Name, m.Name)
			}
		}
	}
}

// bounded checks that neither the bodies that are held nor those in files can end the pod, and that no
// probe asks more than whether it serves.
func bounded(t *testing.T, file string, spec core.PodSpec, c core.Container, cfg *config.Config) {
	t.Helper()
	held := cmp.Or(cfg.Router.BodyMemory, 256<<20)
	tmp := spec.Volumes[slices.IndexFunc(spec.Volumes, func(v core.Volume) bool { return v.EmptyDir != nil })].EmptyDir
	if tmp.Medium == core.StorageMediumMemory || tmp.SizeLimit.Value() < 16*held {
		t.Errorf("%s: /tmp is %+v, for 16 times %d bytes", file, tmp, held)
	}
	if disk := c.Resources.Limits[core.ResourceEphemeralStorage]; disk.Cmp(*tmp.SizeLimit) <= 0 {
		t.Errorf("%s: the container may write %s in all and %s to /tmp", file, disk.String(), tmp.SizeLimit)
	}
	if memory := c.Resources.Limits[core.ResourceMemory]; memory.Value() < held+(64+64)<<20 {
		t.Errorf("%s: the container has %s, for bodies of %d bytes and what the router remembers", file, memory.String(), held)
	}
	for _, p := range []*core.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if p != nil && (p.Exec != nil && slices.Contains(p.Exec.Command, "--quiet") || p.HTTPGet != nil && p.HTTPGet.Path != "/healthz") {
			t.Errorf("%s: a probe fails while Google refuses calls: %+v", file, p.ProbeHandler)
		}
	}
}

// hardened checks that the sidecar is neither root nor may write, and has time to let its calls end.
func hardened(t *testing.T, file string, d *apps.Deployment, cfg *config.Config) {
	t.Helper()
	spec := d.Spec.Template.Spec
	for _, c := range append(spec.InitContainers, spec.Containers...) {
		if c.Name != "spillway" {
			continue
		}
		s := c.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
			t.Errorf("%s: container %s may write or become root", file, c.Name)
		}
		at := slices.Index(c.Args, "--drain")
		drain, err := time.ParseDuration(c.Args[at+1])
		drain += cfg.Serve.DrainDelay
		if err != nil || time.Duration(*spec.TerminationGracePeriodSeconds)*time.Second <= drain {
			t.Errorf("%s: pods have %d s to end and calls %s (%v)", file, *spec.TerminationGracePeriodSeconds, drain, err)
		}
		bounded(t, file, spec, c, cfg)
	}
	if spec.SecurityContext == nil || spec.SecurityContext.RunAsNonRoot == nil || !*spec.SecurityContext.RunAsNonRoot {
		t.Errorf("%s: pods may run as root", file)
	}
}

func TestFilesOfTheManifestsAreSpillways(t *testing.T) {
	for _, file := range []string{"kubernetes/sidecar.yaml", "kubernetes/gateway.yaml"} {
		cfg := spillwayFile(t, file, manifests(t, file))
		if len(cfg.Warnings) > 0 || cfg.Store.Redis.Reveal() == "" {
			t.Errorf("%s: %v", file, cfg.Warnings)
		}
	}
}

// No manifest has a Secret: a key that is made up would be in force, and would replace the real one whenever
// the manifest is applied again. The README makes it, with all that the pods read.
func TestTheReadmeMakesTheSecretsOfTheManifests(t *testing.T) {
	readme, err := os.ReadFile("../examples/kubernetes/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"kubernetes/sidecar.yaml", "kubernetes/gateway.yaml"} {
		spec := of[apps.Deployment](manifests(t, file))[0].Spec.Template.Spec
		keys := map[string][]string{}
		for _, v := range spec.Volumes {
			if v.Secret != nil {
				for _, item := range v.Secret.Items {
					keys[v.Secret.SecretName] = append(keys[v.Secret.SecretName], item.Key)
				}
			}
		}
		for _, c := range append(spec.InitContainers, spec.Containers...) {
			for _, e := range c.Env {
				if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
					keys[e.ValueFrom.SecretKeyRef.Name] = append(keys[e.ValueFrom.SecretKeyRef.Name], e.ValueFrom.SecretKeyRef.Key)
				}
			}
		}
		for secret, some := range keys {
			if !bytes.Contains(readme, []byte("kubectl create secret generic "+secret+" ")) {
				t.Errorf("%s needs the Secret %s, which the README does not make", file, secret)
			}
			for _, key := range some {
				if !regexp.MustCompile(`--from-(file|literal)=` + key + `=`).Match(readme) {
					t.Errorf("%s needs %s in the Secret %s, which the README does not make", file, key, secret)
				}
			}
		}
	}
}

// A gateway asks who calls, and a Prometheus in the cluster reaches its counters.
func TestTheGatewayHasTokens(t *testing.T) {
	const file = "kubernetes/gateway.yaml"
	all := manifests(t, file)
	cfg := spillwayFile(t, file, all)
	if cfg.Serve.Open || len(cfg.Serve.Tokens) == 0 || cfg.Serve.Admin.Token.Reveal() == "" {
		t.Errorf("%s lets strangers in", file)
	}
	for _, p := range of[core.Service](all)[0].Spec.Ports {
		if p.TargetPort.StrVal != "http" {
			t.Errorf("the Service has the port %s", p.TargetPort.StrVal)
		}
	}
}

// spillwayFile reads the file for Spillway in a manifest, with the secrets as the pod sees them.
func spillwayFile(t *testing.T, file string, all []any) *config.Config {
	t.Helper()
	spec, paths := of[apps.Deployment](all)[0].Spec.Template.Spec, map[string]string{}
	for _, c := range append(spec.InitContainers, spec.Containers...) {
		for _, m := range c.VolumeMounts {
			v := spec.Volumes[slices.IndexFunc(spec.Volumes, func(v core.Volume) bool { return v.Name == m.Name })]
			if v.Secret == nil {
				continue
			}
			for _, item := range v.Secret.Items {
				paths[path.Join(m.MountPath, item.Path)] = "the-secret-named-" + item.Key
			}
		}
	}
	cfg, err := config.Parse(file, []byte(of[core.ConfigMap](all)[0].Data["spillway.toml"]),
		config.WithEnv(func(name string) (string, bool) { return "redis://redis:6379", name == "REDIS_URL" }),
		config.WithFiles(func(name string) ([]byte, error) {
			text, ok := paths[name]
			if !ok {
				return nil, fmt.Errorf("no Secret is mounted at %s", name)
			}
			return []byte(text), nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The image has the binary alone, so that needs no library, and no other file to be written.
func TestTheBinaryOfTheImageRunsWithoutARootAndAsNobody(t *testing.T) {
	root := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(root, "spillway"), "./cmd/spillway")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	binary, err := elf.Open(filepath.Join(root, "spillway"))
	if err != nil {
		t.Skipf("skipped: this system's programs are not ELF: %v", err)
	}
	defer binary.Close()
	if libraries, err := binary.ImportedLibraries(); err == nil && len(libraries) > 0 {
		t.Errorf("it needs %v", libraries)
	}
	if os.Getuid() != 0 {
		t.Skip("skipped: only root may change the root of a process")
	}
	file := "[[project]]\nname = \"a\"\nbackend = \"gemini\"\nkeys = [\"env:KEY\"]\n"
	if err := os.WriteFile(filepath.Join(root, "spillway.toml"), []byte(file), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	as := func(args ...string) *exec.Cmd {
		c := exec.Command("/spillway", args...)
		c.Env, c.Dir = []string{"KEY=the-key"}, "/"
		c.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		return c
	}
	var said bytes.Buffer
	address := free(t)
	serve := as("serve", "/spillway.toml", "--listen", address)
	serve.Stdout, serve.Stderr = &said, &said
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		if err := serve.Wait(); err != nil {
			t.Errorf("serve ends with %v\n%s", err, said.String())
		}
	}()
	health := func() error {
		out, err := as("status", "--quiet", "http://"+address).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := health()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// free returns an address of this machine that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
