package visitor

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// Invitation is what an organizer signs for one invited person.
type Invitation struct {
	Sale    ropeline.SaleID `json:"sale"`
	Invitee string          `json:"invitee"` // whom the organizer means: a number of theirs, rather than a name
	Expires int64           `json:"exp"`     // s since 1970
	Lane    string          `json:"lane,omitempty"`
}

// The texts of invitations and of their keys. An invitation is
// invite1.base64url(JSON).base64url(signature over all before).
const (
	invitationFormat  = "invite1"
	privateKeyPrefix  = "ROPELINE-INVITATION-PRIVATE-KEY"
	publicKeyPrefix   = "ROPELINE-INVITATION-PUBLIC-KEY"
	maxInvitation     = 512
	maxInvitationKeys = 100
)

var invitee = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Inviter signs invitations. Whoever holds its key can invite anybody: it is the
// organizer's, and no edge needs it.
type Inviter struct{ key ed25519.PrivateKey }

// GenerateInviter makes a key and returns the texts of both halves.
func GenerateInviter() (private, public string, err error) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", "", fmt.Errorf("generating an invitation key: %w", err)
	}
	return privateKeyPrefix + " " + base64.RawURLEncoding.EncodeToString(key.Seed()) + "\n",
		publicKeyPrefix + " " + base64.RawURLEncoding.EncodeToString(pub) + "\n", nil
}

// LoadInviter reads the organizer's key from a file.
func LoadInviter(path string) (*Inviter, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("loading the invitation key: %w", err)
	}
	seed, err := readKey(string(text), privateKeyPrefix, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("loading the invitation key %s: %w", path, err)
	}
	return &Inviter{ed25519.NewKeyFromSeed(seed)}, nil
}

func readKey(line, prefix string, size int) ([]byte, error) {
	fields := strings.Fields(line)
	if len(fields) != 2 || fields[0] != prefix {
		return nil, errors.New("want " + prefix + " and the key")
	}
	key, err := base64.RawURLEncoding.DecodeString(fields[1])
	if err != nil || len(key) != size {
		return nil, errors.New("the key is damaged")
	}
	return key, nil
}

// Invite signs an invitation.
func (i *Inviter) Invite(v Invitation) (string, error) {
	if !v.Sale.Valid() || !invitee.MatchString(v.Invitee) {
		return "", fmt.Errorf("inviting %q to %q: want a sale, and 1 to 64 letters, digits, dots, hyphens or underscores", v.Invitee, v.Sale)
	}
	doc, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("writing an invitation: %w", err)
	}
	text := invitationFormat + "." + base64.RawURLEncoding.EncodeToString(doc)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(i.key, []byte(text))), nil
}

// Invitations takes for a visitor whoever an invitation names.
type Invitations struct {
	keys []ed25519.PublicKey
	now  func() time.Time
}

// LoadInvitations reads the public keys of organizers, one a line. A file that is
// not there is none: every invitation is refused then.
func LoadInvitations(path string, now func() time.Time) (*Invitations, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return &Invitations{now: now}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("loading the invitation keys: %w", err)
	}
	v := &Invitations{now: now}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := readKey(line, publicKeyPrefix, ed25519.PublicKeySize)
		if err != nil {
			return nil, fmt.Errorf("loading the invitation keys %s: %w", path, err)
		}
		v.keys = append(v.keys, key)
	}
	if len(v.keys) > maxInvitationKeys { // each may cost a forged invitation 50 µs
		return nil, fmt.Errorf("loading the invitation keys %s: there are more than %d", path, maxInvitationKeys)
	}
	return v, nil
}

// What may be wrong with an invitation. None of it costs the fan anything.
var (
	ErrInvitationNeeded = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "invitation-needed",
		Detail: "This sale is by invitation. Please open the link in your invitation."}
	ErrInvitationInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "invitation-invalid",
		Detail: "This is no invitation of the organizer's. Please open the whole link in your invitation."}
	ErrInvitationForeign = &ropeline.Error{Kind: ropeline.Forbidden, Code: "invitation-foreign",
		Detail: "This invitation is for another sale."}
	ErrInvitationExpired = &ropeline.Error{Kind: ropeline.Gone, Code: "invitation-expired",
		Detail: "This invitation has expired."}
	ErrAttemptInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "attempt-invalid",
		Detail: "The attempt must be a random text of 16 to 64 characters, the same each time this join is repeated."}
)

// Recognize checks an invitation. The visitor is the invitee; the client names
// the attempt itself, by something nobody else can guess.
func (v *Invitations) Recognize(sale ropeline.Sale, join wire.Join) (who, attempt string, err error) {
	if join.Invitation == "" {
		return "", "", ErrInvitationNeeded
	}
	read, err := v.read(join.Invitation)
	switch {
	case err != nil:
		return "", "", ErrInvitationInvalid.Because(err)
	case read.Sale != sale.ID:
		return "", "", ErrInvitationForeign
	case !v.now().Before(time.Unix(read.Expires, 0)):
		return "", "", ErrInvitationExpired
	case join.Attempt != "" && (len(join.Attempt) < 16 || len(join.Attempt) > 64):
		return "", "", ErrAttemptInvalid
	}
	return read.Invitee, join.Attempt, nil
}

// Lane is the lane that an invitation names which Recognize has believed.
func (v *Invitations) Lane(join wire.Join) string {
	read, err := v.read(join.Invitation)
	if err != nil {
		return ""
	}
	return read.Lane
}

// read checks form and signature; nothing is parsed before the signature holds.
func (v *Invitations) read(raw string) (Invitation, error) {
	dot := strings.LastIndexByte(raw, '.')
	if len(raw) > maxInvitation || dot < 0 {
		return Invitation{}, errors.New("it has not the form of one")
	}
	text := raw[:dot]
	format, body, ok := strings.Cut(text, ".")
	signature, err := base64.RawURLEncoding.Strict().DecodeString(raw[dot+1:])
	if !ok || err != nil || format != invitationFormat || !v.signed(text, signature) {
		return Invitation{}, errors.New("the signature does not hold")
	}
	var read Invitation
	doc, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return Invitation{}, err
	}
	if err := json.Unmarshal(doc, &read); err != nil {
		return Invitation{}, err
	}
	if !invitee.MatchString(read.Invitee) {
		return Invitation{}, errors.New("it names nobody")
	}
	return read, nil
}

func (v *Invitations) signed(text string, signature []byte) bool {
	for _, key := range v.keys {
		if ed25519.Verify(key, []byte(text), signature) {
			return true
		}
	}
	return false
}
