package api

import (
	"context"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/abuse"
)

func (s *server) routeBlocks() error {
	return all(
		handle(s, "list-blocks", s.listBlocks),
		handle(s, "get-block", s.getBlock),
		handle(s, "create-block", s.createBlock),
		handle(s, "lift-block", s.liftBlock),
	)
}

type listBlocks struct {
	Page
	State   abuse.State `query:"state" enum:"active,lifted,over"`
	Place   string      `query:"place" doc:"only those of this place"`
	Address string      `query:"address" doc:"only those of this address; it is kept as a keyed hash"`
}

// BlockList is a page of blocks.
type BlockList struct {
	Blocks []abuse.Block `json:"blocks"`
	Next   string        `json:"next,omitempty"`
}

type blockList struct{ Body BlockList }

func (s *server) listBlocks(ctx context.Context, in *listBlocks) (*blockList, error) {
	size, err := in.of().Size()
	if err != nil {
		return nil, err
	}
	if _, err := in.of().After(); err != nil {
		return nil, err
	}
	list, next, err := s.abuse.List(ctx, abuse.Filter{State: in.State, Place: ropeline.PlaceID(in.Place), Address: in.Address, After: in.Cursor, Limit: size})
	if err != nil {
		return nil, err
	}
	if list == nil {
		list = []abuse.Block{}
	}
	return &blockList{Body: BlockList{list, next}}, nil
}

type blockID struct {
	ID string `path:"id" doc:"of the block"`
}

// BlockDetail is a block and all that is known of it.
type BlockDetail struct {
	abuse.Block
	History   []abuse.Record `json:"history"`
	Standings []abuse.Rung   `json:"standings" doc:"points and waits that the subject has now; none if it was erased"`
}

type blockDetail struct{ Body BlockDetail }

func (s *server) getBlock(ctx context.Context, in *blockID) (*blockDetail, error) {
	b, history, rungs, err := s.abuse.Inspect(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if rungs == nil {
		rungs = []abuse.Rung{}
	}
	return &blockDetail{Body: BlockDetail{b, history, rungs}}, nil
}

// BlockRequest says whom to block, how long and why.
type BlockRequest struct {
	Place   string           `json:"place,omitempty" doc:"of the line; or"`
	Address string           `json:"address,omitempty" doc:"an IPv4 address, or one of the /64 of an IPv6 network"`
	For     ropeline.Seconds `json:"for" doc:"seconds, 60 to 31622400"`
	Reason  string           `json:"reason" doc:"1 to 200 characters, for the staff; no personal data"`
}

type createBlock struct {
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body makes one block"`
	Body BlockRequest
}

type blockAnswer struct{ Body abuse.Block }

func (s *server) createBlock(ctx context.Context, in *createBlock) (*blockAnswer, error) {
	b, err := s.abuse.Block(ctx, abuse.Wish{Who: by(ctx), Key: in.Key, Place: ropeline.PlaceID(in.Body.Place), Address: in.Body.Address, For: in.Body.For, Reason: in.Body.Reason})
	if err != nil {
		return nil, err
	}
	return &blockAnswer{Body: b}, nil
}

// LiftRequest says why.
type LiftRequest struct {
	Reason string `json:"reason" doc:"1 to 200 characters; no personal data"`
	Erase  bool   `json:"erase,omitempty" doc:"forget whom the block was for as well"`
}

type liftBlock struct {
	ID   string `path:"id" doc:"of the block"`
	Body LiftRequest
}

func (s *server) liftBlock(ctx context.Context, in *liftBlock) (*blockAnswer, error) {
	b, err := s.abuse.Lift(ctx, in.ID, by(ctx), in.Body.Reason, in.Body.Erase)
	if err != nil {
		return nil, err
	}
	return &blockAnswer{Body: b}, nil
}
