// Short names for what C functions take and give.

package bridge

/*
#include "crossing.h"
*/
import "C"

type (
	cContent        = C.spb_go_content
	cStatus         = C.spb_status
	cFault          = *C.spb_error
	cValue          = *C.spb_value
	cSink           = C.spb_sink
	cOperation      = C.spb_operation
	cSession        = C.spb_session
	cSessionOptions = C.spb_session_options
)
