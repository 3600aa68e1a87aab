package nbd

import "slices"

const readFailed = "reading from file failed"

// read answers CmdRead: whole in a simple reply or with DF, else data and holes
// apart.
func (s *Session) read(r request) error {
	if r.flags&CmdFlagFUA != 0 {
		if err := s.export.Flush(); err != nil {
			s.fail(r, errnoOf(err), "flush failed")
			return nil
		}
	}
	switch {
	case !s.structured:
		s.readSimple(r)
	case r.length == 0:
		s.chunk(r, chunkNone, true, 0)
	case r.flags&CmdFlagDF != 0:
		if err := s.data(r, int64(r.from), int64(r.length), true); err != nil {
			s.fail(r, errnoOf(err), readFailed)
		}
	default:
		return s.readSparse(r)
	}
	return nil
}

func (s *Session) readSimple(r request) {
	start := len(s.out)
	s.simple(r, 0)
	if err := s.content(int64(r.from), int64(r.length)); err != nil {
		s.out = s.out[:start]
		s.simple(r, errnoOf(err))
	}
}

// content adds a range of the export to what is sent. On an error nothing is added.
func (s *Session) content(off, n int64) error {
	start := len(s.out)
	s.out = slices.Grow(s.out, int(n))[:start+int(n)]
	err := s.export.ReadAt(s.out[start:], off)
	if err != nil {
		s.out = s.out[:start]
	}
	return err
}

// data adds a chunk of data. On an error nothing is added.
func (s *Session) data(r request, off, n int64, last bool) error {
	start := len(s.out)
	s.chunk(r, chunkOffsetData, last, int(8+n))
	s.out = be.AppendUint64(s.out, uint64(off))
	err := s.content(off, n)
	if err != nil {
		s.out = s.out[:start]
	}
	return err
}

// readSparse answers with a chunk for each run of data and of zeroes.
func (s *Session) readSparse(r request) error {
	off, end := int64(r.from), int64(r.from)+int64(r.length)
	for off < end {
		state, n, err := s.export.Status(ContextBaseAllocation, off, end-off)
		if err != nil {
			s.fail(r, errnoOf(err), "unable to check for holes")
			return nil
		}
		n = max(1, min(n, end-off))
		last := off+n == end
		if state&StateZero != 0 {
			s.chunk(r, chunkOffsetHole, last, 12)
			s.out = be.AppendUint64(s.out, uint64(off))
			s.out = be.AppendUint32(s.out, uint32(n))
		} else if err := s.data(r, off, n, last); err != nil {
			s.fail(r, errnoOf(err), readFailed)
			return nil
		}
		off += n
	}
	return nil
}

// extent is a run of one state.
type extent struct {
	length uint32
	state  uint32
}

// blockStatus answers CmdBlockStatus, one chunk for each context.
func (s *Session) blockStatus(r request) {
	for i, c := range s.contexts {
		if err := s.collect(r, c.ID); err != nil {
			s.fail(r, errnoOf(err), "can't get block status")
			return
		}
		s.chunk(r, chunkBlockStatus, i == len(s.contexts)-1, 4+8*len(s.extents))
		s.out = be.AppendUint32(s.out, c.ID)
		for _, e := range s.extents {
			s.out = be.AppendUint32(s.out, e.length)
			s.out = be.AppendUint32(s.out, e.state)
		}
	}
}

// collect fills s.extents with the merged extents of the request in a context.
func (s *Session) collect(r request, context uint32) error {
	limit := ExtentsMax
	if r.flags&CmdFlagReqOne != 0 {
		limit = 1
	}
	s.extents = s.extents[:0]
	off, end := int64(r.from), int64(r.from)+int64(r.length)
	for off < end {
		state, n, err := s.export.Status(context, off, end-off)
		if err != nil {
			return err
		}
		n = max(1, min(n, end-off))
		if k := len(s.extents); k > 0 && s.extents[k-1].state == state {
			s.extents[k-1].length += uint32(n)
		} else if k == limit {
			return nil
		} else {
			s.extents = append(s.extents, extent{uint32(n), state})
		}
		off += n
	}
	return nil
}
