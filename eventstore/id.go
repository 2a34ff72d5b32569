package eventstore

import (
	"strconv"

	"github.com/google/uuid"
)

// idNamespace makes ids of command ids that are no UUIDs. It can never change.
var idNamespace = uuid.MustParse("5f3c9d0e-6f0a-5a53-9c39-0b4f5a1c7e21")

// EventID is the id of the index-th event (from 0) of a command: the same on every retry.
func EventID(id string, index int) string {
	namespace, err := uuid.Parse(id)
	if err != nil {
		namespace = uuid.NewSHA1(idNamespace, []byte(id))
	}
	return uuid.NewSHA1(namespace, []byte{byte(index >> 8), byte(index)}).String()
}

// HistoricEventID is the id of an event of schema 1, which had none of its own: UUIDv5(stream, version).
func HistoricEventID(id string, version int) string {
	namespace, err := uuid.Parse(id)
	if err != nil {
		namespace = uuid.NewSHA1(uuid.Nil, []byte(id))
	}
	return uuid.NewSHA1(namespace, []byte(strconv.Itoa(version))).String()
}
