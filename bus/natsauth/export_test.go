package natsauth

// SetListPage has lists come in small pages, so that a test has several.
func (s *Service) SetListPage(n int) { s.listPage = n }
