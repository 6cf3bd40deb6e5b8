package wording

import (
	"errors"

	"github.com/ropeline/ropeline"
)

// pointerOf is where a refusal says that the fault is.
func pointerOf(err error) string {
	if e, ok := errors.AsType[*ropeline.Error](err); ok && len(e.Faults) == 1 {
		return e.Faults[0].Pointer
	}
	return ""
}
