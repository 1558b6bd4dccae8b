module github.com/spillway-go/spillway/deploy

go 1.26.0

require (
	github.com/prometheus/prometheus v0.312.0
	github.com/spillway-go/spillway v0.0.0
)

replace github.com/spillway-go/spillway => ../
