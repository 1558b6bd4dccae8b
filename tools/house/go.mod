module github.com/spillway-go/spillway/tools/house

go 1.26.0
