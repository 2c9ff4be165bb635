package export

// FileName is the name of the format's file, after a basename.
func (f Format) FileName(basename string) string { return basename + f.suffix() }
