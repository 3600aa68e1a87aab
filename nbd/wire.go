package nbd

import "encoding/binary"

// Magic numbers of the protocol.
const (
	magicInit     = 0x4e42444d41474943 // "NBDMAGIC"
	magicOption   = 0x49484156454f5054 // "IHAVEOPT"
	magicOptReply = 0x0003e889045565a9
	magicRequest  = 0x25609513
	magicSimple   = 0x67446698
	magicChunk    = 0x668e33ef
)

// Limits of the protocol document and of QEMU.
const (
	// StringMax bounds names, queries, descriptions and messages, in bytes.
	StringMax = 4096
	// PayloadMax bounds the data of one request, in bytes.
	PayloadMax = 32 << 20
	// ExtentsMax bounds the extents of one context in one reply.
	ExtentsMax = 1 << 17
	// QueriesMax bounds the queries of one option that a client sends.
	QueriesMax = 1 << 16
)

// Handshake flags.
const (
	flagFixedNewstyle = 1 << 0
	flagNoZeroes      = 1 << 1
)

// Option is what a client asks for before an export is open.
type Option uint32

// The options of the protocol.
const (
	OptExportName      Option = 1
	OptAbort           Option = 2
	OptList            Option = 3
	OptStartTLS        Option = 5
	OptInfo            Option = 6
	OptGo              Option = 7
	OptStructuredReply Option = 8
	OptListMetaContext Option = 9
	OptSetMetaContext  Option = 10
)

// String is the option's name as QEMU's texts have it.
func (o Option) String() string {
	switch o {
	case OptExportName:
		return "export name"
	case OptAbort:
		return "abort"
	case OptList:
		return "list"
	case OptStartTLS:
		return "starttls"
	case OptInfo:
		return "info"
	case OptGo:
		return "go"
	case OptStructuredReply:
		return "structured reply"
	case OptListMetaContext:
		return "list meta context"
	case OptSetMetaContext:
		return "set meta context"
	default:
		return "<unknown>"
	}
}

// Types of replies to options; those with errorBit set are errors.
const (
	repAck         = 1
	repServer      = 2
	repInfo        = 3
	repMetaContext = 4
	errorBit       = 1 << 31
)

// OptionErrno is the type of an error reply to an option.
type OptionErrno uint32

// The option errors of the protocol.
const (
	ErrUnsup         OptionErrno = errorBit + 1
	ErrPolicy        OptionErrno = errorBit + 2
	ErrInvalid       OptionErrno = errorBit + 3
	ErrPlatform      OptionErrno = errorBit + 4
	ErrTLSReqd       OptionErrno = errorBit + 5
	ErrUnknown       OptionErrno = errorBit + 6
	ErrShutdown      OptionErrno = errorBit + 7
	ErrBlockSizeReqd OptionErrno = errorBit + 8
	ErrTooBig        OptionErrno = errorBit + 9
)

// Kinds of information in replies to OptInfo and OptGo.
const (
	infoExport      = 0
	infoName        = 1
	infoDescription = 2
	infoBlockSize   = 3
)

// Flags describe an export to its client.
type Flags uint16

// The transmission flags of the protocol.
const (
	FlagHasFlags        Flags = 1 << 0
	FlagReadOnly        Flags = 1 << 1
	FlagSendFlush       Flags = 1 << 2
	FlagSendFUA         Flags = 1 << 3
	FlagRotational      Flags = 1 << 4
	FlagSendTrim        Flags = 1 << 5
	FlagSendWriteZeroes Flags = 1 << 6
	FlagSendDF          Flags = 1 << 7
	FlagCanMultiConn    Flags = 1 << 8
	FlagSendResize      Flags = 1 << 9
	FlagSendCache       Flags = 1 << 10
	FlagSendFastZero    Flags = 1 << 11
)

// Command is the type of a request.
type Command uint16

// The commands of the protocol.
const (
	CmdRead        Command = 0
	CmdWrite       Command = 1
	CmdDisc        Command = 2
	CmdFlush       Command = 3
	CmdTrim        Command = 4
	CmdCache       Command = 5
	CmdWriteZeroes Command = 6
	CmdBlockStatus Command = 7
)

// String is the command's name as QEMU's texts have it.
func (c Command) String() string {
	names := [...]string{"read", "write", "disconnect", "flush", "trim", "cache", "write zeroes", "block status"}
	if int(c) < len(names) {
		return names[c]
	}
	return "<unknown>"
}

// Flags of requests.
const (
	CmdFlagFUA      = 1 << 0
	CmdFlagNoHole   = 1 << 1
	CmdFlagDF       = 1 << 2
	CmdFlagReqOne   = 1 << 3
	CmdFlagFastZero = 1 << 4
)

// Types and flags of chunks of a structured reply.
const (
	chunkFlagDone = 1

	chunkNone        = 0
	chunkOffsetData  = 1
	chunkOffsetHole  = 2
	chunkBlockStatus = 5
	chunkError       = 1<<15 + 1
	chunkErrorOffset = 1<<15 + 2
	chunkErrorBit    = 1 << 15
)

// States of an extent in the context "base:allocation".
const (
	StateHole = 1 << 0
	StateZero = 1 << 1
)

// Ids of meta contexts as QEMU gives them (§6.3). A bitmap's is
// ContextBitmapFirst plus its index among the export's bitmaps.
const (
	ContextBaseAllocation  = 0
	ContextAllocationDepth = 1
	ContextBitmapFirst     = 2
)

// Names of meta contexts.
const (
	NameBaseAllocation  = "base:allocation"
	NameAllocationDepth = "qemu:allocation-depth"
	PrefixDirtyBitmap   = "qemu:dirty-bitmap:"
)

// Sizes of the fixed parts, in bytes.
const (
	requestSize    = 28
	optionHeadSize = 16
	chunkHeadSize  = 20
	simpleHeadSize = 16
	exportZeroes   = 124
)

var be = binary.BigEndian

// request is the head of a request.
type request struct {
	flags  uint16
	kind   Command
	cookie uint64
	from   uint64
	length uint32
}

// parseRequest reads the head of a request; ok is false for a wrong magic.
func parseRequest(p []byte) (r request, ok bool) {
	return request{
		flags:  be.Uint16(p[4:]),
		kind:   Command(be.Uint16(p[6:])),
		cookie: be.Uint64(p[8:]),
		from:   be.Uint64(p[16:]),
		length: be.Uint32(p[24:]),
	}, be.Uint32(p) == magicRequest
}

// append writes the head of a request.
func (r request) append(p []byte) []byte {
	p = be.AppendUint32(p, magicRequest)
	p = be.AppendUint16(p, r.flags)
	p = be.AppendUint16(p, uint16(r.kind))
	p = be.AppendUint64(p, r.cookie)
	p = be.AppendUint64(p, r.from)
	return be.AppendUint32(p, r.length)
}
