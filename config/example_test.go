package config_test

import (
	"errors"
	"fmt"

	"github.com/spillway-go/spillway/config"
)

func ExampleParse() {
	env := map[string]string{"GEMINI_API_KEY": "a-key"}
	cfg, err := config.Parse("spillway.toml", []byte(`
[router]
max_wait = "5s"

[[project]]
name    = "studio"
backend = "gemini"
keys    = ["env:GEMINI_API_KEY"]
`), config.WithEnv(func(name string) (string, bool) { v, ok := env[name]; return v, ok }))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Router.MaxWait, cfg.Pool.Projects[0].Name, cfg.Pool.Projects[0].Keys)
	// Output: 5s studio [key-2a8a1240]
}

func ExampleParse_errors() {
	_, err := config.Parse("spillway.toml", []byte(`
[router]
polcy    = "random"
max_wait = 10

[[project]]
name      = "prod"
backend   = "vertex"
locations = ["europe"]

[[project.provisioned]]
model = "gemini-3.5-flash"
gsus  = 10
`))
	fmt.Println(err)

	if all, ok := errors.AsType[config.Errors](err); ok {
		fmt.Println(len(all), "mistakes, the first at line", all[0].Line)
	}
	// Output:
	// spillway.toml:3: unknown key; did you mean policy?
	// spillway.toml:4: max_wait is a number without a unit; write the unit too, such as "10s" for seconds
	// spillway.toml:9: locations[0] is not a location of Vertex AI; write "global", "us", "eu" or a region such as "europe-west4"
	// spillway.toml:11: the order has no location; write the location it was bought for, such as location = "europe-west4"
	// 4 mistakes, the first at line 3
}

func ExampleConfig_warnings() {
	cfg, err := config.Parse("spillway.toml", []byte(`
[[project]]
name    = "studio"
backend = "gemini"
keys    = ["a-key-that-everyone-with-the-file-can-read"]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range cfg.Warnings {
		fmt.Println(w)
	}
	// Output:
	// spillway.toml:5: keys[0] is a key written into the file; write "env:NAME" or "file:PATH" and keep the key out of it
}
