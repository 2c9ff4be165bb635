package durable

import "context"

// PutAll is Change of many sets, each all or none by itself. record, where not nil, runs after the
// files of a batch of sets are staged and before the first of them is decided; ready has the indices
// of those that nothing is against. Its error undoes the batch, and is that of all sets after it. The errors are those of
// the sets, by index; nil where the set is in place for good. A set with a Record of its own is fault.Usage.
func PutAll(ctx context.Context, sets []Set, record func(ready []int) error) []error {
	errs := make([]error, len(sets))
	for i, want := range sets {
		if record != nil {
			want.Record = func() error { return record([]int{i}) }
		}
		errs[i] = Change(ctx, want)
	}
	return errs
}
