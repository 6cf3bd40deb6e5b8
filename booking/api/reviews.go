package api

import (
	"cmp"
	"context"
	"strings"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/review"
)

func (s *server) routeReviews() error {
	return all(
		handle(s, "list-posts", s.listPosts),
		handle(s, "list-comments", s.listComments),
		handle(s, "get-my-standing", s.getMyStanding),
		handle(s, "list-my-posts", s.listMyPosts),
		handle(s, "create-post", s.createPost),
		handle(s, "put-my-post", s.putMyPost),
		handle(s, "withdraw-post", s.withdrawPost),
		handle(s, "report-post", s.reportPost),
		handle(s, "list-own-posts", s.listOwnPosts),
		handle(s, "decide-post", s.decidePost),
		handle(s, "answer-post", s.answerPost),
		handle(s, "get-moderation", s.getModeration),
		handle(s, "put-moderation", s.putModeration),
	)
}

// PostList is a page of what people say of an event.
type PostList struct {
	Rating review.Rating `json:"rating" doc:"what all reviews of the event come to"`
	Posts  []review.Post `json:"posts" nullable:"false"`
	Next   string        `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type somePosts struct {
	ID    string `path:"id" doc:"of the event"`
	Kind  string `query:"kind" doc:"review, if left out, or question"`
	Order string `query:"order" doc:"newest, if left out; reviews also best or worst"`
	Have  string `header:"If-None-Match"`
	Page
}

func (s *server) listPosts(ctx context.Context, in *somePosts) (*fresh[PostList], error) {
	list, next, err := s.reviews.List(ctx, in.ID, cmp.Or(review.Kind(in.Kind), review.Review), cmp.Or(review.Order(in.Order), review.Newest), in.of())
	if err != nil {
		return nil, err
	}
	rating, err := s.reviews.Summary(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, PostList{rating, append([]review.Post{}, list...), next})
}

// CommentList is a page of comments.
type CommentList struct {
	Comments []review.Post `json:"comments" nullable:"false" doc:"the oldest first"`
	Next     string        `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

func (s *server) listComments(ctx context.Context, in *struct {
	ID   string `path:"id" doc:"of the event"`
	Post string `path:"post" doc:"its id"`
	Have string `header:"If-None-Match"`
	Page
}) (*fresh[CommentList], error) {
	list, next, err := s.reviews.Comments(ctx, in.ID, in.Post, in.of())
	if err != nil {
		return nil, err
	}
	return answerFresh(in.Have, CommentList{append([]review.Post{}, list...), next})
}

// MyStanding is what somebody may say of an event.
type MyStanding struct {
	Name string `json:"name" doc:"how they could sign: the first word of the name in their profile; empty: there is none"`
	review.Standing
}

type gotMyStanding struct{ Body MyStanding }

func (s *server) getMyStanding(ctx context.Context, in *struct {
	ID string `path:"id" doc:"of the event"`
}) (*gotMyStanding, error) {
	standing, err := s.reviews.Standing(ctx, me(ctx).Person, in.ID)
	if err != nil {
		return nil, err
	}
	p, err := s.people.Person(ctx, me(ctx).Person)
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(strings.TrimSpace(p.Name), " ")
	return &gotMyStanding{Body: MyStanding{name, standing}}, nil
}

// MyPostList is a page of what somebody has written.
type MyPostList struct {
	Posts []review.Own `json:"posts" nullable:"false" doc:"the newest first"`
	Next  string       `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotMyPosts struct{ Body MyPostList }

func (s *server) listMyPosts(ctx context.Context, in *Page) (*gotMyPosts, error) {
	list, next, err := s.reviews.OfPerson(ctx, me(ctx).Person, in.of())
	return &gotMyPosts{Body: MyPostList{append([]review.Own{}, list...), next}}, err
}

// PostDraft is a post that is not written yet.
type PostDraft review.Draft

type onePost struct{ Body review.Own }

func (s *server) createPost(ctx context.Context, in *struct {
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body writes one"`
	Body PostDraft
}) (*onePost, error) {
	p, err := s.reviews.Create(ctx, me(ctx).Person, in.Key, review.Draft(in.Body))
	return &onePost{Body: p}, err
}

// AtPost names a post.
type AtPost struct {
	Post string `path:"post" doc:"its id"`
}

// PostWords are what a review is changed to.
type PostWords review.Words

func (s *server) putMyPost(ctx context.Context, in *struct {
	AtPost
	Body PostWords
}) (*onePost, error) {
	p, err := s.reviews.Put(ctx, me(ctx).Person, in.Post, review.Words(in.Body))
	return &onePost{Body: p}, err
}

func (s *server) withdrawPost(ctx context.Context, in *AtPost) (*nothing, error) {
	return &nothing{}, s.reviews.Withdraw(ctx, me(ctx).Person, in.Post)
}

func (s *server) reportPost(ctx context.Context, in *AtPost) (*nothing, error) {
	return &nothing{}, s.reviews.Report(ctx, me(ctx).Person, in.Post)
}

// OwnPostList is a page of what people have said of an organization's events.
type OwnPostList struct {
	Posts []review.Case `json:"posts" nullable:"false" doc:"of what waits the oldest first, else the newest"`
	Next  string        `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotOwnPosts struct{ Body OwnPostList }

func (s *server) listOwnPosts(ctx context.Context, in *struct {
	Which string `query:"which" doc:"waiting, if left out, reported, shown or refused"`
	Page
}) (*gotOwnPosts, error) {
	list, next, err := s.reviews.Queue(ctx, here(ctx), cmp.Or(review.Which(in.Which), review.OfWaiting), in.of())
	return &gotOwnPosts{Body: OwnPostList{append([]review.Case{}, list...), next}}, err
}

// SeenPost is what staff change, as they have seen it.
type SeenPost struct {
	Post string `path:"post" doc:"its id"`
	Seen string `header:"If-Match" doc:"the version of the post, in quotes"`
}

func (in SeenPost) change(ctx context.Context) (audit.Change, error) {
	seen, err := seenVersion(in.Seen, audit.ErrChanged)
	return audit.Change{Who: by(ctx), Seen: seen}, err
}

// PostDecision is whether a post is shown.
type PostDecision review.Decision

func (s *server) decidePost(ctx context.Context, in *struct {
	SeenPost
	Body PostDecision
}) (*versioned[review.Case], error) {
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	i, err := s.reviews.Decide(ctx, here(ctx), in.Post, review.Decision(in.Body), by)
	return putAnswer(i.Version, false, &i), err
}

// PostAnswer is what an organization says to a post.
type PostAnswer struct {
	Text string `json:"text" doc:"2,000 characters at most, in lines; empty takes the answer away"`
}

func (s *server) answerPost(ctx context.Context, in *struct {
	SeenPost
	Body PostAnswer
}) (*versioned[review.Case], error) {
	by, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	i, err := s.reviews.Answer(ctx, here(ctx), in.Post, in.Body.Text, by)
	return putAnswer(i.Version, false, &i), err
}

// Moderation is how an organization has posts looked at.
type Moderation review.Settings

func (s *server) getModeration(ctx context.Context, _ *struct{}) (*versioned[Moderation], error) {
	k, err := s.reviews.Settings(ctx, here(ctx))
	body := Moderation(k)
	return versionAnswer("", k.Version, &body), err
}

// ModerationRequest is how it wants them looked at.
type ModerationRequest struct {
	Before bool `json:"before" doc:"staff look at a post before it is shown; else it is shown at once"`
}

func (s *server) putModeration(ctx context.Context, in *struct {
	Seen  string `header:"If-Match" doc:"ETag of the version that this replaces"`
	Fresh string `header:"If-None-Match" doc:"* if nobody has set it"`
	Body  ModerationRequest
}) (*versioned[Moderation], error) {
	by, err := Edited{Seen: in.Seen, Fresh: in.Fresh}.change(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.reviews.PutSettings(ctx, here(ctx), in.Body.Before, by)
	body := Moderation(k)
	return putAnswer(k.Version, true, &body), err
}

// postsOf are all that somebody has written, for their file.
func (s *server) postsOf(ctx context.Context, person string) ([]review.Own, error) {
	all := []review.Own{}
	for page := (booking.Page{Limit: booking.PageMost}); ; {
		some, next, err := s.reviews.OfPerson(ctx, person, page)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if page.Cursor = next; next == "" {
			return all, nil
		}
	}
}
