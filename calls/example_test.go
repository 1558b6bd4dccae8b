package calls_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spillway-go/spillway/calls"
)

// A record is read back from a line of the log, or from the sidecar.
func ExampleRecord_Explain() {
	const line = `{"id":"0f3c5a7791b2d4e6","time":"2026-11-26T10:53:00.000Z","model":"gemini-3.5-flash",
		"method":"generateContent","label":"team-a","priority":"interactive","outcome":"served","status":200,
		"served_model":"gemini-3.5-flash","endpoint":"spare/global/on_demand","project":"spare","traffic":"on_demand",
		"tokens":{"input":1200,"output":300},
		"attempts":[
			{"endpoint":"prod/global/on_demand","model":"gemini-3.5-flash","class":"minute_quota","status":429,
				"waited_ms":0,"duration_ms":35.2,"message":"GenerateRequestsPerMinutePerProjectPerModel"},
			{"endpoint":"spare/global/on_demand","model":"gemini-3.5-flash","class":"ok","status":200,
				"waited_ms":0,"duration_ms":1204.5}],
		"passed_over":[{"endpoint":"prod/eu/provisioned","why":"provisioned order full until 2026-11-26T10:53:01.200Z"}],
		"waited_ms":0,"first_byte_ms":480.1,"latency_ms":1240}`
	var r calls.Record
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Join(r.Explain(), "\n"))
	// Output:
	// 2026-11-26T10:53:00.000Z generateContent of gemini-3.5-flash for team-a (interactive): served by spare/global/on_demand, status 200 after 1.24s
	// attempt 1: prod/global/on_demand with gemini-3.5-flash: minute_quota, status 429 after 35.2ms (GenerateRequestsPerMinutePerProjectPerModel)
	// attempt 2: spare/global/on_demand with gemini-3.5-flash: ok, status 200 after 1.2s
	// not prod/eu/provisioned: provisioned order full until 2026-11-26T10:53:01.200Z
}
