package batch

// Waiting returns how many calls wait for the next batch.
func (g *Gatherer[Req, Res]) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}
