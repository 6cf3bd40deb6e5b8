package queue

import (
	"hash/crc32"
	"strconv"

	"github.com/ropeline/ropeline"
)

// lineID names one line of a sale. A sale too large for one Redis has several,
// its shards, numbered from 0; each has a hash tag, and so a slot, of its own,
// apart from that of the sale's capacity.
type lineID struct {
	sale  ropeline.SaleID
	shard int
}

// key names a key of the line.
func (l lineID) key(name string) string {
	return "ropeline:{" + string(l.sale) + "." + strconv.Itoa(l.shard) + "}:" + name
}

// keys names several.
func (l lineID) keys(names ...string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = l.key(name)
	}
	return keys
}

// presence is what the names of the line's presence bitmaps begin with; the
// edge's name follows.
func (l lineID) presence() string { return l.key("presence:") }

// shardOf says in which of so many lines a place stands. It follows from the
// place's id alone, so that whoever has a ticket knows where to ask.
func shardOf(id ropeline.PlaceID, shards int) int {
	if shards == 1 {
		return 0
	}
	return int(crc32.ChecksumIEEE([]byte(id)) % uint32(shards))
}
