package durable

import "context"

// Hold locks name in dir for one that changes a file in place, and gives what lets it go. It waits
// as Put does, and its errors are Put's. A set of that name is locked by the same lock; what a killed
// Put left of one stays.
func Hold(ctx context.Context, dir, name string) (release func(), err error) {
	if err := checkNames(name, nil); err != nil {
		return nil, err
	}
	s, err := open(ctx, dir, name)
	if err != nil {
		return nil, err
	}
	return s.close, nil
}
