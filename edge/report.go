package edge

import (
	"context"
	"os"
	"time"

	"github.com/ropeline/ropeline/queue"
)

const (
	reportEvery    = time.Second
	reportPatience = 2 * time.Second
)

// tellReports tells the staff once a second how this edge is, until ctx ends.
// It is a help: what is not told is told a second later.
func (s *Server) tellReports(ctx context.Context) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	started := s.now().UTC().Truncate(time.Second)
	every := time.NewTicker(reportEvery)
	defer every.Stop()
	told := true
	for {
		report := s.report()
		report.Host, report.StartedAt = host, started
		if err := s.say(ctx, report); (err == nil) != told && ctx.Err() == nil {
			told = err == nil
			s.log.Info("telling the staff how this edge is", "works", told, "err", err)
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			s.sayGoodbye(context.WithoutCancel(ctx))
			return
		}
	}
}

func (s *Server) say(ctx context.Context, r queue.Report) error {
	ctx, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	return s.store.SayReport(ctx, r)
}

// sayGoodbye takes this edge off the list; if it cannot, the list shows it as
// silent.
func (s *Server) sayGoodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	if err := s.store.EndReports(ctx); err != nil {
		s.log.Debug("telling the staff that this edge ends", "err", err)
	}
}

// report is how this edge is now.
func (s *Server) report() queue.Report {
	open, most := s.sockets.count()
	rooms, away := s.rooms.count()
	return queue.Report{Sockets: open, SocketsMost: most, Rooms: rooms, Away: away, Shedding: s.load.busy()}
}
