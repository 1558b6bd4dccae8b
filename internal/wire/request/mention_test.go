package request_test

import "testing"

func TestAModelThatTwoReadersMayReadDifferentlyIsUnclear(t *testing.T) {
	const chat, named = "https://h/v1beta/openai/chat/completions", "https://h/v1beta/models/m:generateContent"
	for body, unclear := range map[string]bool{
		`{"model":"a","messages":[]}`:                             false,
		`{"messages":[{"model":"b"}],"model":"a","n":1}`:          false,
		`{"model":"google\/a","stream":true,"x":null,"top_p":-1}`: false,
		`{"model":"a","tools":[{"model":"b"}]}`:                   false,
		`{"model":"a","model":"a"}`:                               true,
		`{"model":"a","messages":[],"model":"b"}`:                 true,
		`{"model":"a","mode\u006c":"b"}`:                          true,
		`{"mode\u006c":"b"}`:                                      true,
		`{"mode\u006c":"b","model":"a"}`:                          true,
		`{"model":"\u0061"}`:                                      true,
		`{"model":"a",'model':'b'}`:                               true,
		`{'model':'b',"model":"a"}`:                               true,
		`{"model":"a",model:"b"}`:                                 true,
		`{"model":"a"}{"model":"b"}`:                              true,
	} {
		c := parse(t, "POST", chat, body)
		if got := c.Use.Named.Unclear(); got != unclear {
			t.Errorf("%s: unclear is %v", body, got)
		}
		// The path says it, whatever the body says.
		if c := parse(t, "POST", named, body); c.Use.Named.Unclear() || c.Use.Named.InBody() || c.Model != "m" {
			t.Errorf("%s below a path with a model: %+v", body, c)
		}
	}
}
