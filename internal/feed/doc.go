// Package feed is the engine's side of the Python package sluicedata: `sluice feed` serves
// one Loader, Sampler or Transform over a Unix socket that Python made, and ends with it.
// It is internal to the two, and versioned: a Python package talks to an engine of the same
// Protocol.
//
// # Messages
//
// Both sides send messages, each a header of 32 bytes, a head, which is a JSON object, and a body
// of raw bytes. The header is little-endian:
//
//	magic   4 bytes  "sluf"
//	version uint16   Protocol
//	kind    uint16
//	id      uint32   the request or run that it belongs to; 0: none
//	head    uint32   bytes of the head, at most 64 MiB
//	body    uint64   bytes of the body, at most 1 TiB
//	crc     uint32   CRC-32 (IEEE) of the 24 bytes before it and the head
//	zero    uint32
//
// A message that isn't one ends the connection, on either side: nothing is guessed.
// message.go lists the kinds.
//
// # A run
//
// A run's batches leave as they are made, at most Ready of them ahead of the loop, and
// stop at once with STOP. Pixels lie in a ring, a memory file that both processes have
// mapped, or where there is none (transport pipe), in the message; behind them lie masks of one
// size, a byte a pixel. All other columns are an Arrow IPC stream in the body. PLAN says which targets the samples have.
//
// A slot of the ring is free, being filled, sent, or taken by the loop, which gives it back
// when the last view of it is gone (GIVE). Where no slot is free, a batch goes by the message, so
// that a loop may keep as many as it likes.
package feed
