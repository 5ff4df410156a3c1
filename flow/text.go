package flow

import "github.com/sluicedata/sluice/internal/phrase"

func plural(n int64, noun string) string { return phrase.Count(n, noun) }

func bytesText(n int64) string { return phrase.Bytes(n) }
