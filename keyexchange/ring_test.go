package keyexchange

import "time"

var testTime = time.Date(2026, 11, 21, 21, 37, 8, 0, time.UTC)
