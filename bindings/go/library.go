// What the loaded library says of itself, before any platform is opened. Knows nothing of platforms.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import "encoding/json"

// Version is that of the loaded library, such as "0.1.0".
func Version() string { return C.GoString(C.spb_version()) }

// ConfigSchema is the JSON Schema of the document that [Open] takes, with the meaning and default of
// every key.
func ConfigSchema() json.RawMessage { return json.RawMessage(goString(C.spb_config_schema())) }

// checkABI refuses a library that does not understand programs built with this package.
func checkABI() error {
	if bool(C.spb_abi_check()) {
		return nil
	}
	message := "the loaded library is older than this package, or of another major version"
	return &Error{Status: StatusABIMismatch, Message: message}
}
