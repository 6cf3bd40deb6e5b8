package visitor

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strings"
	"time"

	"crypto/rand"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// Browsers takes a browser for a visitor that has found the key to a challenge.
// The wire format is ALTCHA's, version 2, in its deterministic mode: making a
// challenge costs us one key of PBKDF2 (0.3 ms), finding it costs the browser as
// many as the sale's rule says at most, half of them at least, and checking it
// costs two HMACs.
type Browsers struct {
	challenges, keys []byte // of the HMACs over challenges and over their keys
	random           io.Reader
	now              func() time.Time
}

// ProofLife is how long a challenge may be solved and its proof be spent.
const ProofLife = 10 * time.Minute

// derivations is what one key costs. Fewer would leave a browser mostly waiting
// for its own calls of WebCrypto, which somebody with a program for it does not.
const derivations = 1000

const keyLength = 32

// Challenge is what a browser has to solve, as ALTCHA's libraries read it.
type Challenge struct {
	Parameters parameters `json:"parameters"`
	Signature  string     `json:"signature"`
}

// parameters are signed as JSON with sorted names: keep them sorted.
type parameters struct {
	Algorithm    string `json:"algorithm"`
	Cost         int    `json:"cost"`
	Data         whose  `json:"data"`
	ExpiresAt    int64  `json:"expiresAt"` // s since 1970
	KeyLength    int    `json:"keyLength"`
	KeyPrefix    string `json:"keyPrefix"`
	KeySignature string `json:"keySignature"`
	Nonce        string `json:"nonce"`
	Salt         string `json:"salt"`
}

// whose binds a challenge to a sale and to the browser that asked for it.
type whose struct {
	Browser string          `json:"browser"` // a hash: the id itself is the browser's secret
	Sale    ropeline.SaleID `json:"sale"`
}

type proof struct {
	Challenge Challenge `json:"challenge"`
	Solution  struct {
		Counter    uint32   `json:"counter"`
		DerivedKey string   `json:"derivedKey"`
		Time       *float64 `json:"time"` // how long it took; nobody believes it
	} `json:"solution"`
}

const algorithm = "PBKDF2/SHA-256"

// NewBrowsers returns the kind with a secret that all edges share.
func NewBrowsers(secret string, random io.Reader, now func() time.Time) *Browsers {
	return &Browsers{
		challenges: []byte(mac([]byte(secret), "challenges")), keys: []byte(mac([]byte(secret), "keys")),
		random: random, now: now,
	}
}

// NewID makes the secret that a browser is known by.
func NewID(random io.Reader) (string, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("naming a browser: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

var browserID = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

// ValidID reports whether a browser's secret has the form of ours.
func ValidID(id string) bool { return browserID.MatchString(id) }

// Challenge makes what the browser with this secret has to solve.
func (b *Browsers) Challenge(sale ropeline.Sale, browser string) (any, error) {
	raw := make([]byte, 32)
	if _, err := io.ReadFull(b.random, raw); err != nil {
		return nil, fmt.Errorf("making a challenge: %w", err)
	}
	counter, err := rand.Int(b.random, big.NewInt(int64(sale.Visitor.Work)))
	if err != nil {
		return nil, fmt.Errorf("making a challenge: %w", err)
	}
	c := Challenge{Parameters: parameters{
		Algorithm: algorithm, Cost: derivations, KeyLength: keyLength,
		Data:      whose{Browser: NameOf(browser), Sale: sale.ID},
		ExpiresAt: b.now().Add(ProofLife).Unix(),
		Nonce:     hex.EncodeToString(raw[:16]), Salt: hex.EncodeToString(raw[16:]),
	}}
	key, err := derive(raw[:16], raw[16:], uint32(counter.Int64()+int64(sale.Visitor.Work))/2)
	if err != nil {
		return nil, err
	}
	c.Parameters.KeyPrefix = hex.EncodeToString(key[:keyLength/2])
	c.Parameters.KeySignature = mac(b.keys, string(key))
	c.Signature, err = b.sign(c.Parameters)
	return c, err
}

// NameOf is what a challenge says of a browser: a hash of its secret.
func NameOf(browser string) string {
	sum := sha256.Sum256([]byte("browser " + browser))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func derive(nonce, salt []byte, counter uint32) ([]byte, error) {
	password := binary.BigEndian.AppendUint32(append([]byte{}, nonce...), counter)
	key, err := pbkdf2.Key(sha256.New, string(password), salt, derivations, keyLength)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	return key, nil
}

func (b *Browsers) sign(p parameters) (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("writing a challenge: %w", err)
	}
	return mac(b.challenges, string(text)), nil
}

func mac(key []byte, text string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

// What may be wrong with a proof. None of it costs the fan anything.
var (
	ErrProofNeeded = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "proof-needed",
		Detail: "This sale gives one place to each browser: get a challenge, solve it, and join with the proof."}
	ErrProofInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "proof-invalid",
		Detail: "This proof of work does not hold for this sale. Get a new challenge and solve it."}
	ErrProofExpired = &ropeline.Error{Kind: ropeline.Gone, Code: "proof-expired",
		Detail: "This proof of work is too old. Get a new challenge and solve it."}
)

// Recognize checks a proof. The visitor is the browser that asked for the
// challenge, the attempt is the challenge.
func (b *Browsers) Recognize(sale ropeline.Sale, join wire.Join) (who, attempt string, err error) {
	if join.Proof == "" {
		return "", "", ErrProofNeeded
	}
	p, err := readProof(join.Proof)
	if err != nil {
		return "", "", ErrProofInvalid.Because(err)
	}
	given := p.Challenge.Parameters
	signature, err := b.sign(given)
	if err != nil {
		return "", "", err
	}
	key, err := hex.DecodeString(p.Solution.DerivedKey)
	switch {
	case subtle.ConstantTimeCompare([]byte(signature), []byte(p.Challenge.Signature)) != 1, given.Data.Sale != sale.ID,
		err != nil, subtle.ConstantTimeCompare([]byte(mac(b.keys, string(key))), []byte(given.KeySignature)) != 1:
		return "", "", ErrProofInvalid
	case !b.now().Before(time.Unix(given.ExpiresAt, 0)):
		return "", "", ErrProofExpired
	}
	return given.Data.Browser, given.Nonce, nil
}

// maxProof bounds what readProof looks at; a proof has some 900 bytes.
const maxProof = 4096

func readProof(text string) (proof, error) {
	var p proof
	if len(text) > maxProof {
		return p, errors.New("the proof is too long")
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return p, err
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return p, errors.New("there is something behind the proof")
	}
	return p, nil
}

// Solve finds the proof for a challenge, as a browser does. It is for tests and
// for whoever simulates fans.
func Solve(c Challenge) (string, error) {
	p := proof{Challenge: c}
	nonce, err := hex.DecodeString(c.Parameters.Nonce)
	if err != nil {
		return "", fmt.Errorf("solving a challenge: %w", err)
	}
	salt, err := hex.DecodeString(c.Parameters.Salt)
	if err != nil {
		return "", fmt.Errorf("solving a challenge: %w", err)
	}
	for counter := range uint32(ropeline.MaxWork) {
		key, err := derive(nonce, salt, counter)
		if err != nil {
			return "", err
		}
		if text := hex.EncodeToString(key); strings.HasPrefix(text, c.Parameters.KeyPrefix) {
			p.Solution.Counter, p.Solution.DerivedKey = counter, text
			raw, err := json.Marshal(p)
			return base64.StdEncoding.EncodeToString(raw), err
		}
	}
	return "", errors.New("solving a challenge: it has no key")
}
