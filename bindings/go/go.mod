module snakepit.dev/bridge

go 1.25

require github.com/google/jsonschema-go v0.4.3
