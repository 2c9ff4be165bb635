//go:build !unix

package term

import (
	"errors"
	"os"
	"time"
)

// canWait tells whether this system can wait for a key for some time.
const canWait = false

func waitFor(*os.File, time.Duration) (bool, error) { return false, errors.ErrUnsupported }
