package fault_test

import (
	"errors"
	"fmt"

	"keyward/fault"
)

// What goes wrong anywhere in keyward is of a kind, whatever was wrapped around it.
func Example() {
	err := fault.New(fault.NotFound, "see `keyward bus account list`", "no account %s", "alice")
	err = fmt.Errorf("bus: %w", err)
	fmt.Println(err)
	fmt.Println(errors.Is(err, fault.NotFound), int(fault.KindOf(err)))
	fmt.Println(fault.HintOf(fmt.Errorf("no fault: %w", errors.ErrUnsupported)) == "")
	// Output:
	// bus: no account alice
	// true 4
	// true
}
