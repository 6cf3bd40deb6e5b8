package hub

import "time"

// A moment is a time since the hub was made, by a clock that does not jump.
type moment = time.Duration

// A wheel holds sockets by when their next turn is due. It is as exact as
// wheelStep and sees no further than one round: what is due later comes up
// earlier and is put back, which costs less than a heap.
type wheel struct {
	slots [wheelSlots]*Socket // heads of rings
	next  int64               // the step whose slot is looked at next
	held  int
}

const (
	wheelStep  = 20 * time.Millisecond // spreads a second's frames over 50 moments: each is a wake-up of the writer
	wheelSlots = 1024
)

// spoke is a socket's part of a wheel.
type spoke struct {
	dueAt       moment
	step        int64 // of the slot that it is in
	held        bool
	left, right *Socket
}

// stepOf is the first step that is not before a time.
func stepOf(t moment) int64 { return int64((t + wheelStep - 1) / wheelStep) }

// put says when a socket is due; it moves one that is held already.
func (w *wheel) put(s *Socket, due, now moment) {
	w.remove(s)
	if w.held == 0 {
		w.next = max(w.next, int64(now/wheelStep))
	}
	step := min(max(stepOf(due), w.next), w.next+wheelSlots-2)
	head := &w.slots[step%wheelSlots]
	s.dueAt, s.step, s.held = due, step, true
	if *head == nil {
		*head, s.left, s.right = s, s, s
	} else {
		first := *head
		s.left, s.right = first.left, first
		first.left.right, first.left = s, s
	}
	w.held++
}

func (w *wheel) remove(s *Socket) {
	if !s.held {
		return
	}
	head := &w.slots[s.step%wheelSlots]
	if s.right == s {
		*head = nil
	} else {
		s.left.right, s.right.left = s.right, s.left
		if *head == s {
			*head = s.right
		}
	}
	s.left, s.right, s.held = nil, nil, false
	w.held--
}

// pop takes out a socket whose time has come, nil if there is none.
func (w *wheel) pop(now moment) *Socket {
	for until := int64(now / wheelStep); w.held > 0 && w.next <= until; w.next++ {
		for s := w.slots[w.next%wheelSlots]; s != nil; s = w.slots[w.next%wheelSlots] {
			if w.remove(s); s.dueAt <= now {
				return s
			}
			// Due after a whole round: it is put behind this slot.
			w.next++
			w.put(s, s.dueAt, now)
			w.next--
		}
	}
	return nil
}

// wait is how long nothing is due; false if nothing is held.
func (w *wheel) wait(now moment) (time.Duration, bool) {
	if w.held == 0 {
		return 0, false
	}
	step := w.next
	for w.slots[step%wheelSlots] == nil {
		step++
	}
	return max(0, moment(step)*wheelStep-now), true
}

// all calls f for every socket held, which f may move.
func (w *wheel) all(f func(*Socket)) {
	var held []*Socket
	for _, head := range w.slots {
		for s := head; s != nil; s = s.right {
			held = append(held, s)
			if s.right == head {
				break
			}
		}
	}
	for _, s := range held {
		f(s)
	}
}
