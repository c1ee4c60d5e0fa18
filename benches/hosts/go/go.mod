module snakepit.dev/bridge/bench

go 1.25

require snakepit.dev/bridge v0.0.0

require github.com/google/jsonschema-go v0.4.3 // indirect

replace snakepit.dev/bridge => ../../../bindings/go
