package train

func (r *run) load() error { return nil }
func (r *run) save() error { return nil }
