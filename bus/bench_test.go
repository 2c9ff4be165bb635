package bus_test

import (
	"testing"

	"keyward/bus"
	"keyward/bus/bustest"
)

// BenchmarkPermissions is what a connect costs of this package's time.
func BenchmarkPermissions(b *testing.B) {
	accounts := bustest.Accounts()
	for b.Loop() {
		for _, a := range accounts {
			a.Permissions()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(accounts)), "ns/account")
}

// BenchmarkPermissionsOfTheLargest is that of an account with as many subjects as it may have, each of which takes a denied one.
func BenchmarkPermissionsOfTheLargest(b *testing.B) {
	a := hearing(bus.MaxHeard)
	for b.Loop() {
		a.Permissions()
	}
}
