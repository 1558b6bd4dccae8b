module github.com/spillway-go/spillway/tools/page

go 1.26.0

require github.com/spillway-go/spillway v0.0.0

require github.com/gorilla/websocket v1.5.3 // indirect

replace github.com/spillway-go/spillway => ../..
