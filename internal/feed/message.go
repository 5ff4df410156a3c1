package feed

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
)

// Protocol is the version of messages and of what they mean.
const Protocol = 1

// kind says what a message is.
type kind uint16

// Of Python.
const (
	kindHello  kind = 1  // protocol and version: answered by the engine's
	kindOpen   kind = 2  // a pipeline: answered by its plan
	kindRun    kind = 3  // a place: answered by batches
	kindStop   kind = 4  // ends a run
	kindGive   kind = 5  // batches that the loop took, and slots that it gives back
	kindCheck  kind = 6  // a state: answered by its place
	kindApply  kind = 7  // images: answered by their rows
	kindLabels kind = 8  // a sampler: answered by its length
	kindDraws  kind = 9  // a range of positions: answered by sample numbers
	kindStages kind = 10 // a pipeline whose picture stages are to be applied: answered by what they make
	kindLedger kind = 11 // how many batches of a run were taken: answered by what each class got in them
)

// Of the engine.
const (
	kindWelcome  kind = 33
	kindPlan     kind = 34
	kindBatch    kind = 35
	kindEnd      kind = 36 // of a run
	kindError    kind = 37 // of a request or a run
	kindResult   kind = 38
	kindWarn     kind = 39
	kindProgress kind = 40
)

const (
	magic      = "sluf"
	headerSize = 32
	mostHead   = 64 << 20
	mostBody   = 1 << 40
)

// message is one that came.
type message struct {
	kind kind
	id   uint32
	head []byte
	body []byte
}

// into reads the head; keys that aren't known are mistakes.
func (m *message) into(v any) error {
	if err := strict(m.head, v); err != nil {
		return usage("a message of kind %d: %v", m.kind, err)
	}
	return nil
}

// errBroken is a stream of bytes that aren't messages.
var errBroken = errors.New("feed: what came over the socket is no message of this protocol")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errBroken, fmt.Sprintf(format, args...))
}

// readMessage reads the next message. io.EOF is the end between messages. A body above most is
// refused unread.
func readMessage(r io.Reader, most uint64) (*message, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, broken("it ends within a header")
		}
		return nil, err
	}
	le := binary.LittleEndian
	if string(header[:4]) != magic {
		return nil, broken("it begins with %q", header[:4])
	}
	if v := le.Uint16(header[4:]); v != Protocol {
		return nil, broken("its version is %d, and this engine has %d: install the engine and the package sluicedata of the same release", v, Protocol)
	}
	m := &message{kind: kind(le.Uint16(header[6:])), id: le.Uint32(header[8:])}
	head, body := le.Uint32(header[12:]), le.Uint64(header[16:])
	if head > mostHead || body > min(most, mostBody) || le.Uint32(header[28:]) != 0 {
		return nil, broken("its lengths are %d and %d", head, body)
	}
	var err error
	if m.head, err = readBytes(r, uint64(head)); err != nil {
		return nil, err
	}
	if crc32.Update(crc32.ChecksumIEEE(header[:24]), crc32.IEEETable, m.head) != le.Uint32(header[24:]) {
		return nil, broken("its checksum is wrong")
	}
	m.body, err = readBytes(r, body)
	return m, err
}

// readBytes doesn't believe a length before the bytes are there.
func readBytes(r io.Reader, n uint64) ([]byte, error) {
	const step = 64 << 20
	var all []byte
	for have := uint64(0); have < n; have = uint64(len(all)) {
		next := min(n-have, max(step, have))
		all = append(all, make([]byte, next)...)
		if _, err := io.ReadFull(r, all[have:]); err != nil {
			return nil, broken("it ends within a message")
		}
	}
	return all, nil
}

// header is that of a message.
func header(k kind, id uint32, head []byte, body uint64) []byte {
	le := binary.LittleEndian
	b := make([]byte, headerSize, headerSize+len(head))
	copy(b, magic)
	le.PutUint16(b[4:], Protocol)
	le.PutUint16(b[6:], uint16(k))
	le.PutUint32(b[8:], id)
	le.PutUint32(b[12:], uint32(len(head)))
	le.PutUint64(b[16:], body)
	le.PutUint32(b[24:], crc32.Update(crc32.ChecksumIEEE(b[:24]), crc32.IEEETable, head))
	return append(b, head...)
}

// writeMessage writes a message; rights, if there are any, go with its first byte.
func writeMessage(conn *net.UnixConn, k kind, id uint32, head any, rights []byte, body ...[]byte) error {
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	if len(text) > mostHead {
		return fmt.Errorf("feed: a message's head has %d bytes, and %d is the most", len(text), mostHead)
	}
	size := uint64(0)
	for _, b := range body {
		size += uint64(len(b))
	}
	first := header(k, id, text, size)
	if rights != nil {
		n, _, err := conn.WriteMsgUnix(first, rights, nil)
		if err != nil {
			return fmt.Errorf("feed: %w", err)
		}
		first = first[n:]
	}
	buffers := append(net.Buffers{first}, body...)
	if _, err := buffers.WriteTo(conn); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	return nil
}
