//go:build !unix

package edge

func descriptors() int64 { return descriptorsUnknown }
