package door

import "context"

// ScanTogether is what scans come to that reach a core at the same time.
func (s *Store) ScanTogether(ctx context.Context, scans []Scan) ([]Answer, error) {
	reads := make([]read, len(scans))
	for i, scan := range scans {
		reads[i] = s.read(scan)
	}
	return s.write(ctx, reads)
}
