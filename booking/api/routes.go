package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/gate/fibergate"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// Access says who may call a route.
type Access string

// The kinds of access.
const (
	Public     Access = "public"          // anybody
	Admission  Access = "admission token" // holders of a token; see package gate
	OrderLink  Access = "order link"      // holders of the order's key
	Signed     Access = "provider signature"
	Address    Access = "payment address" // whoever was sent there to confirm
	Bag        Access = "bag key"         // holders of the key of a bag
	Desk       Access = "staff key"       // vendors of the shop, organizers of whose it is, and SREs
	SRE        Access = "SRE key"
	BoxOffice  Access = "box office key" // the box office, and SREs
	Door       Access = "door key"       // who works at the door, organizers, and SREs
	Supervisor Access = "supervisor key" // supervisors of a door, organizers, and SREs
	Organizer  Access = "organizer key"  // organizers, and SREs
	Venues     Access = "venue key"      // who manages venues, organizers, and SREs
	Team       Access = "team key"       // organizers of the organization in the path, admins, and SREs
	Admin      Access = "admin key"      // admins, and SREs
	Crew       Access = "any staff key"  // staff, whatever they do

	Doorstep Access = "anybody, from a page of ours"
	Account  Access = "sign-in" // whoever has the cookie of one

	ListKey         Access = "returns list key" // holders of the key of a place on a returns list
	ClaimPass       Access = "claim pass"       // holders of the pass of an offer of that list
	AdmissionOrPass Access = "admission token or claim pass"
)

// Route is a line of the table of routes.
type Route struct {
	ID      string // operation id in the OpenAPI document
	Method  string
	Path    string
	Access  Access
	Success int // status of the good answer
	Summary string
}

// desk is where a shop's vendors work.
const desk = organizer + "/shops/{shop}"

// counter is where the box office sells units of a performance.
const counter = organizer + "/performances/{id}/counter"

// doorPath is where scanners ask.
const doorPath = organizer + "/performances/{id}/door"

// endpoints are where those are told who want to know what happens.
const endpoints = organizer + "/webhooks"

// organizer is what staff do with what was sold.
const organizer = "/api/v1/organizer"

const (
	blocks  = organizer + "/blocks"
	exports = organizer + "/exports"

	deadLetters = organizer + "/dead-letters"
)

// Where organizers keep what there is to sell.
const (
	venuesPath   = organizer + "/venues"
	programsPath = organizer + "/programs"
	plansPath    = organizer + "/plans"
	accountPlan  = organizer + "/accounts/{account}/plan"

	eventsPath     = organizer + "/events"
	performersPath = organizer + "/performers"
	toursPath      = organizer + "/tours"
	picturesPath   = organizer + "/pictures"
	salesPath      = organizer + "/sales/"
	lookPath       = salesPath + "{sale}/look"

	codesPath       = salesPath + "{sale}/codes"
	publicationPath = salesPath + "{sale}/publication"
	draftPath       = eventsPath + "/{id}/draft"
	noticesPath     = eventsPath + "/{id}/notices"
	wordingsPath    = organizer + "/letters"
	newslettersPath = organizer + "/newsletters"
	ownPostsPath    = organizer + "/posts"
	moderationPath  = organizer + "/moderation"
	newsletterStep  = "/api/v1/newsletters/{consent}/{step}"
	wishStep        = "/api/v1/events/wishes/{wish}/{step}"
	wordingPath     = wordingsPath + "/{letter}/{language}"
)

// Who works for whom.
const (
	staffPath         = organizer + "/staff"
	organizationsPath = organizer + "/organizations"
	teamPath          = organizationsPath + "/{organization}"
)

// ordersPath is where holds are paid for.
const ordersPath = "/api/v1/orders"

// transfersPath is where who is offered a ticket takes it, or has it.
const transfersPath = "/api/v1/transfers/{id}"

// mePath is what belongs to whoever is signed in.
const mePath = "/api/v1/me"

// Routes is every route of the booking core.
var Routes = []Route{
	{"list-events", http.MethodGet, "/api/v1/events", Public, http.StatusOK, "Events and their performances: all, or those of a category, a performer, a tour or a venue"},
	{"get-event", http.MethodGet, "/api/v1/events/{id}", Public, http.StatusOK, "An event, who performs in it and its performances"},
	{"list-posts", http.MethodGet, "/api/v1/events/{id}/posts", Public, http.StatusOK, "Reviews of an event or questions about it, with the organizer's answers, and what all reviews come to"},
	{"list-comments", http.MethodGet, "/api/v1/events/{id}/posts/{post}/comments", Public, http.StatusOK, "Comments on a review or a question"},
	{"list-event-categories", http.MethodGet, "/api/v1/event-categories", Public, http.StatusOK, "The categories of events"},
	{"list-performers", http.MethodGet, "/api/v1/performers", Public, http.StatusOK, "Performers"},
	{"get-performer", http.MethodGet, "/api/v1/performers/{id}", Public, http.StatusOK, "A performer"},
	{"list-tours", http.MethodGet, "/api/v1/tours", Public, http.StatusOK, "Tours"},
	{"get-tour", http.MethodGet, "/api/v1/tours/{id}", Public, http.StatusOK, "A tour"},
	{"list-places", http.MethodGet, "/api/v1/venues", Public, http.StatusOK, "Venues, where they are and when it is there"},
	{"get-place", http.MethodGet, "/api/v1/venues/{id}", Public, http.StatusOK, "A venue, where it is and when it is there"},
	{"get-picture", http.MethodGet, "/api/v1/pictures/{id}", Public, http.StatusOK, "A picture, as JPEG; it never changes"},
	{"get-performance", http.MethodGet, "/api/v1/performances/{id}", Public, http.StatusOK, "The map of a performance: tiers, rows and units"},
	{"get-payment", http.MethodGet, "/api/v1/performances/{id}/payment", Public, http.StatusOK, "How a performance is paid for"},
	{"get-availability", http.MethodGet, "/api/v1/performances/{id}/availability", Public, http.StatusOK, "Which units are free, held or sold; may be a second old"},
	{"create-hold", http.MethodPost, "/api/v1/holds", Admission, http.StatusCreated, "Hold units for a while, all of them or none"},
	{"list-holds", http.MethodGet, "/api/v1/holds", AdmissionOrPass, http.StatusOK, "The live holds of this session"},
	{"get-hold", http.MethodGet, "/api/v1/holds/{id}", AdmissionOrPass, http.StatusOK, "A hold of this session"},
	{"release-hold", http.MethodDelete, "/api/v1/holds/{id}", AdmissionOrPass, http.StatusNoContent, "Give held units back"},
	{"extend-hold", http.MethodPost, "/api/v1/holds/{id}/extend", AdmissionOrPass, http.StatusOK, "Start a hold's time afresh"},
	{"set-hold-coupon", http.MethodPut, "/api/v1/holds/{id}/coupon", AdmissionOrPass, http.StatusOK, "Lower what a hold costs by a coupon"},
	{"remove-hold-coupon", http.MethodDelete, "/api/v1/holds/{id}/coupon", AdmissionOrPass, http.StatusOK, "Take the coupon off a hold"},
	{"create-order", http.MethodPost, ordersPath, AdmissionOrPass, http.StatusCreated, "Pay for a hold"},
	{"get-order", http.MethodGet, "/api/v1/orders/{id}", OrderLink, http.StatusOK, "An order and its tickets"},
	{"get-receipt", http.MethodGet, "/api/v1/orders/{id}/receipt", OrderLink, http.StatusOK, "What an order cost, with tax and fee, and what went back"},
	{"get-passes", http.MethodGet, "/api/v1/orders/{id}/passes", OrderLink, http.StatusOK, "The tickets of an order as a phone shows them, with the keys that sign their codes"},
	{"get-tickets-pdf", http.MethodGet, "/api/v1/orders/{id}/tickets.pdf", OrderLink, http.StatusOK, "The valid tickets of an order, to be printed"},
	{"get-calendar", http.MethodGet, "/api/v1/orders/{id}/calendar.ics", OrderLink, http.StatusOK, "An order as an entry for a calendar (RFC 5545)"},
	{"get-reminder", http.MethodGet, "/api/v1/orders/{id}/reminder", OrderLink, http.StatusOK, "When the buyer of an order is reminded of it"},
	{"put-reminder", http.MethodPut, "/api/v1/orders/{id}/reminder", OrderLink, http.StatusOK, "Be reminded of an order so many days before, or not at all"},
	{"cancel-order", http.MethodPost, "/api/v1/orders/{id}/cancel", OrderLink, http.StatusOK, "Cancel tickets of an order by the rules of its performance; the same ones again change nothing"},
	{"hold-exchange", http.MethodPut, "/api/v1/orders/{id}/exchange/hold", OrderLink, http.StatusOK, "Hold what tickets of an order may be exchanged for, instead of what was held for that before, and say what it comes to"},
	{"drop-exchange", http.MethodDelete, "/api/v1/orders/{id}/exchange/hold", OrderLink, http.StatusNoContent, "Give back what is held for an exchange"},
	{"exchange-tickets", http.MethodPost, "/api/v1/orders/{id}/exchange", OrderLink, http.StatusCreated, "Give tickets up for what is held, and pay or get back the difference"},
	{"get-ticket", http.MethodGet, "/api/v1/tickets/{id}", OrderLink, http.StatusOK, "A ticket"},
	{"get-handing", http.MethodGet, "/api/v1/orders/{id}/handing", OrderLink, http.StatusOK, "What a holder may do with their tickets: give them to others, name them; and what they have done"},
	{"offer-ticket", http.MethodPost, "/api/v1/tickets/{id}/transfer", OrderLink, http.StatusOK, "Offer a ticket to somebody, who is written to; the same again changes nothing"},
	{"recall-ticket", http.MethodDelete, "/api/v1/tickets/{id}/transfer", OrderLink, http.StatusNoContent, "Call a ticket back that nobody has accepted"},
	{"put-ticket-name", http.MethodPut, "/api/v1/tickets/{id}/name", OrderLink, http.StatusNoContent, "Put a name on a ticket, for nothing, by the rules of its performance"},
	{"accept-ticket", http.MethodPost, transfersPath + "/accept", OrderLink, http.StatusOK, "Accept a ticket: it is issued again, and theirs from now on"},
	{"refuse-ticket", http.MethodPost, transfersPath + "/refuse", OrderLink, http.StatusNoContent, "Refuse a ticket"},
	{"return-ticket", http.MethodPost, transfersPath + "/return", OrderLink, http.StatusOK, "Give a ticket back that somebody has given, by the rules of its performance; what comes back goes to who paid"},
	{"staff-cancel-order", http.MethodPost, organizer + "/orders/{id}/cancel", Organizer, http.StatusOK, "Cancel tickets for a reason, at any time"},
	{"put-bulk-refund", http.MethodPut, organizer + "/performances/{id}/refund", Organizer, http.StatusOK, "Give everybody back what they paid for a performance that is canceled; the same again tells how far it is"},
	{"get-bulk-refund", http.MethodGet, organizer + "/performances/{id}/refund", Organizer, http.StatusOK, "How far that is, and which orders were left"},
	{"staff-hold-exchange", http.MethodPut, organizer + "/orders/{id}/exchange/hold", SRE, http.StatusOK, "Hold what tickets may be exchanged for, at any time"},
	{"staff-exchange-tickets", http.MethodPost, organizer + "/orders/{id}/exchange", SRE, http.StatusCreated, "Exchange tickets for a reason, at any time"},
	{"get-order-ledger", http.MethodGet, organizer + "/orders/{id}/ledger", Organizer, http.StatusOK, "Everything that happened to an order and its money, and who did it"},
	{"list-failed-refunds", http.MethodGet, organizer + "/refunds", SRE, http.StatusOK, "Refunds that the payment provider refuses"},
	{"list-dead-letters", http.MethodGet, deadLetters, SRE, http.StatusOK, "Letters that were given up, of the last week"},
	{"retry-letter", http.MethodPost, deadLetters + "/{letter}/retry", SRE, http.StatusOK, "Have a letter sent that was given up; asked twice it is sent once"},
	{"retry-refund", http.MethodPost, organizer + "/refunds/{id}/retry", SRE, http.StatusOK, "Ask for a refund that failed once more"},
	{"list-accounts", http.MethodGet, organizer + "/accounts", Organizer, http.StatusOK, "Organizers' own accounts at the payment provider, and whether they can take payments"},
	{"list-disputes", http.MethodGet, organizer + "/disputes", SRE, http.StatusOK, "Orders whose buyers' banks want the money back, and what became of them"},
	{"release-dispute", http.MethodPost, organizer + "/disputes/{id}/release", SRE, http.StatusOK, "Put the places of a dispute that was lost on sale again; the same again changes nothing"},
	{"get-settlement", http.MethodGet, organizer + "/performances/{id}/settlement", Organizer, http.StatusOK, "What was taken, given back and kept as fee, and what the organizer is owed"},
	{"list-blocks", http.MethodGet, blocks, SRE, http.StatusOK, "Who may not buy for a while, the newest first"},
	{"get-block", http.MethodGet, blocks + "/{id}", SRE, http.StatusOK, "A block, what happened to it and who did it, and where its subject stands now"},
	{"create-block", http.MethodPost, blocks, SRE, http.StatusCreated, "Block a place or an address, for a reason"},
	{"lift-block", http.MethodPost, blocks + "/{id}/lift", SRE, http.StatusOK, "End a block and forget what led to it, for a reason; again changes nothing"},
	{"get-settlement-csv", http.MethodGet, organizer + "/performances/{id}/settlement.csv", Organizer, http.StatusOK, "The same, order by order, as CSV"},
	{"get-sale-settlement", http.MethodGet, organizer + "/sales/{sale}/settlement", Organizer, http.StatusOK, "What the performances of a sale came to, one by one and in all, with fee, tax and net"},
	{"get-account-settlement", http.MethodGet, organizer + "/accounts/{account}/settlement", Organizer, http.StatusOK, "The same for all performances of which an organizer's own account is paid"},

	{"get-live-sales", http.MethodGet, organizer + "/performances/{id}/live", Organizer, http.StatusOK, "How a performance sells: money, tiers, by minute, and how far people came; some seconds old where many look"},
	{"list-sold-orders", http.MethodGet, organizer + "/performances/{id}/orders", Organizer, http.StatusOK, "Orders of a performance, the newest first, by address, seat, state and time"},
	{"get-sold-order", http.MethodGet, organizer + "/orders/{id}", Organizer, http.StatusOK, "An order and its tickets, and who bought it"},
	{"list-popularity", http.MethodGet, organizer + "/popularity", Organizer, http.StatusOK, "How much performances are asked for: views, joins, holds and sales"},
	{"get-orders-csv", http.MethodGet, exports + "/orders.csv", Organizer, http.StatusOK, "Every order of a performance, a sale or an account, as CSV"},
	{"get-accounting-csv", http.MethodGet, exports + "/accounting.csv", Organizer, http.StatusOK, "What each order came to, with fee, tax and net, as CSV: to the cent what the settlement says"},
	{"get-audience", http.MethodGet, organizer + "/audience", Organizer, http.StatusOK, "How old those are who hold tickets, and from where, as far as they have said so: no group of fewer than ten is told"},
	{"get-audience-csv", http.MethodGet, exports + "/audience.csv", Organizer, http.StatusOK, "The same, as CSV"},
	{"get-report-pdf", http.MethodGet, exports + "/report.pdf", Organizer, http.StatusOK, "What performances came to, one by one and in all, to be printed"},

	{"show-counter", http.MethodGet, counter, BoxOffice, http.StatusOK, "Who is at the counter, and what is kept for it"},
	{"create-counter-hold", http.MethodPost, counter + "/holds", BoxOffice, http.StatusCreated, "Hold units at the counter, all of them or none"},
	{"get-counter-hold", http.MethodGet, counter + "/holds/{hold}", BoxOffice, http.StatusOK, "A hold of the counter"},
	{"release-counter-hold", http.MethodDelete, counter + "/holds/{hold}", BoxOffice, http.StatusNoContent, "Give units back that the counter holds"},
	{"set-counter-hold-coupon", http.MethodPut, counter + "/holds/{hold}/coupon", BoxOffice, http.StatusOK, "Lower what a hold of the counter costs by a coupon that somebody shows there"},
	{"remove-counter-hold-coupon", http.MethodDelete, counter + "/holds/{hold}/coupon", BoxOffice, http.StatusOK, "Take the coupon off a hold of the counter"},
	{"sell-at-counter", http.MethodPost, counter + "/orders", BoxOffice, http.StatusCreated, "Sell what the counter holds, for cash, by terminal or for nothing"},
	{"get-takings", http.MethodGet, counter + "/takings", BoxOffice, http.StatusOK, "What the counter took and gave back, by whom and how"},
	{"get-counter-order", http.MethodGet, organizer + "/counter/orders/{id}", BoxOffice, http.StatusOK, "An order that the counter sold, and its tickets"},
	{"get-counter-receipt", http.MethodGet, organizer + "/counter/orders/{id}/receipt", BoxOffice, http.StatusOK, "The receipt of an order that the counter sold"},
	{"cancel-at-counter", http.MethodPost, organizer + "/counter/orders/{id}/cancel", BoxOffice, http.StatusOK, "Cancel tickets that the counter sold, and give the money back; the same ones again change nothing"},
	{"get-door", http.MethodGet, doorPath, Door, http.StatusOK, "The rules of a performance's doors, who is at them, and by which keys lists are signed"},
	{"put-door", http.MethodPut, doorPath, Organizer, http.StatusOK, "Set the doors of a performance: where they lead, for whom they are, whether paper opens them, and whether people may come back"},
	{"scan-ticket", http.MethodPost, doorPath + "/scans", Door, http.StatusOK, "Whether a ticket opens a door, by what a scanner has read; the same scan again is answered as before"},
	{"merge-scans", http.MethodPost, doorPath + "/scans/merge", Door, http.StatusOK, "Hand in what a scanner has decided without a network; the same decisions again are answered as before"},
	{"undo-scan", http.MethodPost, doorPath + "/scans/{scan}/undo", Supervisor, http.StatusNoContent, "Take a scan back, for a reason; again changes nothing"},
	{"get-door-tickets", http.MethodGet, doorPath + "/tickets", Door, http.StatusOK, "Look tickets up by address, seat or number: twenty at most"},
	{"get-door-list", http.MethodGet, doorPath + "/list", Door, http.StatusOK, "The signed list by which a scanner decides that has no network"},
	{"get-door-counts", http.MethodGet, doorPath + "/counts", Door, http.StatusOK, "How many have come in, by door, zone and minute, and what was refused"},
	{"list-double-entries", http.MethodGet, doorPath + "/doubles", Door, http.StatusOK, "Who came in by a scanner without a network and should not have, the newest first"},
	{"show-returns", http.MethodGet, "/api/v1/performances/{id}/returns", Public, http.StatusOK, "The returns lists of a performance, and how many wait"},
	{"join-returns", http.MethodPost, "/api/v1/performances/{id}/returns", Public, http.StatusCreated, "Wait for what comes back of a tier that is sold out"},
	{"get-return", http.MethodGet, "/api/v1/returns/{id}", ListKey, http.StatusOK, "A place on a returns list, and what it is offered"},
	{"leave-returns", http.MethodDelete, "/api/v1/returns/{id}", ListKey, http.StatusNoContent, "Give a place on a returns list up, with what it is offered"},
	{"claim-return", http.MethodPost, "/api/v1/returns/{id}/claim", ClaimPass, http.StatusCreated, "Turn an offer into a hold that is paid for as any other; again, the same hold"},
	{"list-returns", http.MethodGet, organizer + "/performances/{id}/returns", SRE, http.StatusOK, "Who waits on the returns lists of a performance, in their order, and what is offered"},
	{"list-returns-history", http.MethodGet, organizer + "/performances/{id}/returns/history", SRE, http.StatusOK, "What happened on the returns lists of a performance"},

	{"create-webhook", http.MethodPost, endpoints, SRE, http.StatusCreated, "Tell an address of what happens, signed; its secret is shown once"},
	{"list-webhooks", http.MethodGet, endpoints, SRE, http.StatusOK, "Who is told of what happens"},
	{"get-webhook", http.MethodGet, endpoints + "/{id}", SRE, http.StatusOK, "An endpoint, and whether it takes what it is sent"},
	{"change-webhook", http.MethodPut, endpoints + "/{id}", SRE, http.StatusOK, "Change where to and what is sent, or switch it on or off"},
	{"delete-webhook", http.MethodDelete, endpoints + "/{id}", SRE, http.StatusNoContent, "Forget an endpoint"},
	{"rotate-webhook", http.MethodPost, endpoints + "/{id}/rotate", SRE, http.StatusOK, "A new secret, with the old one beside it for a while"},
	{"test-webhook", http.MethodPost, endpoints + "/{id}/test", SRE, http.StatusOK, "Send an event that says nothing"},
	{"list-webhook-deliveries", http.MethodGet, endpoints + "/{id}/deliveries", SRE, http.StatusOK, "What was sent to an endpoint, and what came of it"},
	{"redeliver-webhook", http.MethodPost, endpoints + "/{id}/deliveries/{event}/redeliver", SRE, http.StatusNoContent, "Send an event again"},
	{"redeliver-webhooks", http.MethodPost, endpoints + "/{id}/redeliver", SRE, http.StatusOK, "Send again what failed since a time, and what happened while the endpoint was switched off"},
	{"list-venues", http.MethodGet, venuesPath, Venues, http.StatusOK, "Venues"},
	{"create-venue", http.MethodPost, venuesPath, Venues, http.StatusCreated, "A new venue with its seat map"},
	{"get-venue", http.MethodGet, venuesPath + "/{id}", Venues, http.StatusOK, "The seat map of a venue, as it can be put"},
	{"put-venue", http.MethodPut, venuesPath + "/{id}", Venues, http.StatusOK, "The next version of a venue's seat map; performances stay with theirs"},
	{"list-programs", http.MethodGet, programsPath, Organizer, http.StatusOK, "Programs, by their sales"},
	{"get-program", http.MethodGet, programsPath + "/{sale}", Organizer, http.StatusOK, "What a sale sells, when and for how much, as it can be put"},
	{"put-program", http.MethodPut, programsPath + "/{sale}", Organizer, http.StatusOK, "Make a sale with its performances, or change its times, prices and settings"},
	{"list-reserves", http.MethodGet, organizer + "/performances/{id}/reserves", Organizer, http.StatusOK, "What of a performance is not on sale, or not yet"},
	{"create-reserve", http.MethodPost, organizer + "/performances/{id}/reserves", Organizer, http.StatusCreated, "Take units off sale: blocked, for guests, for the production, or to be released later"},
	{"release-reserve", http.MethodPost, organizer + "/performances/{id}/reserves/{reserve}/release", Organizer, http.StatusOK, "Put a reserve on sale, at once or at a time"},
	{"list-plans", http.MethodGet, plansPath, Organizer, http.StatusOK, "Plans that organizers can choose, and what they cost"},
	{"get-plan", http.MethodGet, plansPath + "/{plan}", Organizer, http.StatusOK, "A plan, as it can be put"},
	{"put-plan", http.MethodPut, plansPath + "/{plan}", SRE, http.StatusOK, "Make a plan, or its next version; whoever has an older one stays on it until their period ends"},
	{"get-account-plan", http.MethodGet, accountPlan, Organizer, http.StatusOK, "What plan an account has, until when, and what it uses of it"},
	{"choose-plan", http.MethodPut, accountPlan, Organizer, http.StatusOK, "Choose a plan: at once if it takes nothing away, else for when the present period ends"},
	{"list-plan-periods", http.MethodGet, accountPlan + "/periods", Organizer, http.StatusOK, "Periods of plans that an account began, and what they cost"},
	{"list-own-events", http.MethodGet, eventsPath, Organizer, http.StatusOK, "The organization's events, drafts as well"},
	{"create-event", http.MethodPost, eventsPath, Organizer, http.StatusCreated, "A new event, as a draft"},
	{"get-own-event", http.MethodGet, eventsPath + "/{id}", Organizer, http.StatusOK, "An event, as it can be put"},
	{"put-event", http.MethodPut, eventsPath + "/{id}", Organizer, http.StatusOK, "Change what is told of an event"},
	{"delete-event", http.MethodDelete, eventsPath + "/{id}", Organizer, http.StatusNoContent, "Delete a draft that has no performances"},
	{"copy-event", http.MethodPost, eventsPath + "/{id}/copy", Organizer, http.StatusCreated, "A draft of what an event says, without its performances"},
	{"get-draft", http.MethodGet, draftPath, Organizer, http.StatusOK, "What is typed of a sale that is being set up for an event"},
	{"put-draft", http.MethodPut, draftPath, Organizer, http.StatusOK, "Keep what is typed of a sale that is being set up, as unfinished as it is"},
	{"delete-draft", http.MethodDelete, draftPath, Organizer, http.StatusNoContent, "Forget it"},
	{"set-event-state", http.MethodPut, eventsPath + "/{id}/state", Organizer, http.StatusOK, "Publish, postpone or cancel an event with its performances"},
	{"get-performance-state", http.MethodGet, organizer + "/performances/{id}/state", Organizer, http.StatusOK, "How a performance and its event stand, with the version that a change replaces"},
	{"set-performance-state", http.MethodPut, organizer + "/performances/{id}/state", Organizer, http.StatusOK, "Postpone or cancel one performance of an event, or put it on again"},
	{"get-holders", http.MethodGet, eventsPath + "/{id}/holders", Organizer, http.StatusOK, "To how many people a message to the holders of an event, or of one of its performances, would go"},
	{"list-notices", http.MethodGet, noticesPath, Organizer, http.StatusOK, "Messages to the holders of an event, the newest first, and how far they are"},
	{"create-notice", http.MethodPost, noticesPath, Organizer, http.StatusCreated, "Write to everybody who holds a ticket of an event, or of one of its performances: each has one letter"},
	{"get-notice", http.MethodGet, noticesPath + "/{notice}", Organizer, http.StatusOK, "A message to holders, and how far it is"},
	{"list-notice-failures", http.MethodGet, noticesPath + "/{notice}/failures", Organizer, http.StatusOK, "Addresses that a message does not come to, and why"},
	{"get-wordings", http.MethodGet, wordingsPath, Organizer, http.StatusOK, "What letters of the organization say, of each kind and in each language"},
	{"get-wording", http.MethodGet, wordingPath, Organizer, http.StatusOK, "What a letter says, as it can be put"},
	{"put-wording", http.MethodPut, wordingPath, Organizer, http.StatusOK, "Word a letter in the organization's own way, with placeholders"},
	{"list-newsletters", http.MethodGet, newslettersPath, Organizer, http.StatusOK, "Newsletters of the organization, the newest first, and how far each is"},
	{"create-newsletter", http.MethodPost, newslettersPath, Organizer, http.StatusCreated, "Write to everybody who has asked for it"},
	{"list-own-posts", http.MethodGet, ownPostsPath, Organizer, http.StatusOK, "What people say of the organization's events: what waits, was reported, is shown or is not"},
	{"decide-post", http.MethodPut, ownPostsPath + "/{post}/state", Organizer, http.StatusOK, "Show what somebody has written, or hide it for a reason that they are told"},
	{"answer-post", http.MethodPut, ownPostsPath + "/{post}/answer", Organizer, http.StatusOK, "Answer a review or a question for everybody to read; what waits is shown with it"},
	{"get-moderation", http.MethodGet, moderationPath, Organizer, http.StatusOK, "Whether posts are looked at before they are shown"},
	{"put-moderation", http.MethodPut, moderationPath, Organizer, http.StatusOK, "Have posts looked at before they are shown, or once they are reported"},
	{"preview-newsletter", http.MethodPost, newslettersPath + "/preview", Organizer, http.StatusOK, "A newsletter as it would arrive, and how many would get it; nothing is kept"},
	{"reset-wording", http.MethodDelete, wordingPath, Organizer, http.StatusOK, "Word a letter as the installation does again"},
	{"preview-wording", http.MethodPost, wordingPath + "/preview", Organizer, http.StatusOK, "A letter as it would come, with examples put in; nothing is kept"},
	{"list-own-performers", http.MethodGet, performersPath, Organizer, http.StatusOK, "Performers, everybody's"},
	{"create-performer", http.MethodPost, performersPath, Organizer, http.StatusCreated, "A new performer"},
	{"get-own-performer", http.MethodGet, performersPath + "/{id}", Organizer, http.StatusOK, "A performer, as it can be put"},
	{"put-performer", http.MethodPut, performersPath + "/{id}", Organizer, http.StatusOK, "Change what is told of a performer whom the organization has made"},
	{"list-own-tours", http.MethodGet, toursPath, Organizer, http.StatusOK, "The organization's tours"},
	{"create-tour", http.MethodPost, toursPath, Organizer, http.StatusCreated, "A new tour"},
	{"get-own-tour", http.MethodGet, toursPath + "/{id}", Organizer, http.StatusOK, "A tour, as it can be put"},
	{"put-tour", http.MethodPut, toursPath + "/{id}", Organizer, http.StatusOK, "Change what is told of a tour"},
	{"get-venue-details", http.MethodGet, venuesPath + "/{id}/details", Venues, http.StatusOK, "What is told of a venue, as it can be put"},
	{"put-venue-details", http.MethodPut, venuesPath + "/{id}/details", Venues, http.StatusOK, "Change what is told of a venue"},
	{"get-clashes", http.MethodGet, venuesPath + "/{id}/clashes", Venues, http.StatusOK, "Performances of a venue within four hours of a time: a warning, and no refusal"},
	{"list-calendar", http.MethodGet, venuesPath + "/{id}/calendar", Venues, http.StatusOK, "What happens in a venue from a time on, and what of it is too near to another"},
	{"list-approvals", http.MethodGet, venuesPath + "/{id}/approvals", Venues, http.StatusOK, "Events that are to play in a venue, and whether its manager lets them"},
	{"approve-seating", http.MethodPut, venuesPath + "/{id}/approvals/{event}", Venues, http.StatusOK, "Let an event of another organization play in a venue with a version of its seat map, or not"},
	{"create-picture", http.MethodPost, picturesPath, Venues, http.StatusCreated, "Upload a picture: a JPEG, PNG or WebP of 10 MB at most. It is drawn anew; the same file again is the same picture"},
	{"get-look", http.MethodGet, lookPath, Organizer, http.StatusOK, "How the pages of a sale look: texts, colors and domains, as they can be put"},
	{"put-look", http.MethodPut, lookPath, Organizer, http.StatusOK, "Change how the pages of a sale look; edges show it within seconds"},
	{"preview-look", http.MethodPost, lookPath + "/preview", Organizer, http.StatusOK, "What pages would get of a look, with the logo that there is; nothing is kept"},
	{"get-publication", http.MethodGet, publicationPath, Organizer, http.StatusOK, "Whether the line is told of a sale, and of which version"},
	{"put-publication", http.MethodPut, publicationPath, Organizer, http.StatusOK, "Ask for a sale to be made known to the line as it is, with its terms: it opens by itself then. The admission part does it, within seconds"},
	{"list-codes", http.MethodGet, codesPath, Organizer, http.StatusOK, "The presale codes of a sale, batch by batch, and how often they were used"},
	{"create-codes", http.MethodPost, codesPath, Organizer, http.StatusCreated, "Make presale codes that lead to a lane of a sale; they are shown once"},
	{"withdraw-codes", http.MethodDelete, codesPath + "/{batch}", Organizer, http.StatusNoContent, "Take a batch of codes back; whoever came in by one, stays"},
	{"get-readiness", http.MethodGet, salesPath + "{sale}/readiness", Organizer, http.StatusOK, "The checklist of a sale: what is well, what is worth a look, and what would go wrong, with what to do"},
	{"get-logo", http.MethodGet, lookPath + "/logo", Organizer, http.StatusOK, "The logo, as it was drawn"},
	{"put-logo", http.MethodPut, lookPath + "/logo", Organizer, http.StatusOK, "A logo: a JPEG, PNG or WebP, which is drawn anew; the look gets its next version"},
	{"delete-logo", http.MethodDelete, lookPath + "/logo", Organizer, http.StatusOK, "Take the logo away; the look gets its next version"},
	{"put-badge", http.MethodPut, staffPath + "/badge", SRE, http.StatusOK, "Get, as a cookie, what opens the operations for a quarter of an hour: for an SRE who signed in to their account"},
	{"get-staff", http.MethodGet, staffPath, Crew, http.StatusOK, "Who this is of the staff, for which organizations, and in which roles or scopes"},
	{"list-organizations", http.MethodGet, organizationsPath, Admin, http.StatusOK, "Organizations that sell here"},
	{"create-organization", http.MethodPost, organizationsPath, Admin, http.StatusCreated, "A new organization, which has nobody yet"},
	{"list-members", http.MethodGet, teamPath + "/members", Team, http.StatusOK, "Who works for an organization, and who is invited to"},
	{"invite-member", http.MethodPost, teamPath + "/invitations", Team, http.StatusCreated, "Invite somebody, by a letter to their address"},
	{"change-member", http.MethodPut, teamPath + "/members/{member}", Team, http.StatusOK, "Give a member other roles, with their next request"},
	{"remove-member", http.MethodDelete, teamPath + "/members/{member}", Team, http.StatusNoContent, "Take all roles from a member, with their next request, or an invitation back"},
	{"list-api-keys", http.MethodGet, teamPath + "/keys", Team, http.StatusOK, "The keys of an organization's programs, the newest first, those that are over too"},
	{"create-api-key", http.MethodPost, teamPath + "/keys", Team, http.StatusCreated, "A new key for a program; its secret is shown once"},
	{"revoke-api-key", http.MethodDelete, teamPath + "/keys/{key}", Team, http.StatusNoContent, "End a key; again changes nothing"},
	{"list-changes", http.MethodGet, organizer + "/changes", Organizer, http.StatusOK, "Who has changed venues, programs, reserves and plans, and why"},

	{"hear-stripe", http.MethodPost, "/api/v1/webhooks/stripe", Signed, http.StatusOK, "An event of Stripe's; it may come twice, late and in any order"},
	{"hear-mail", http.MethodPost, "/api/v1/webhooks/mail", Signed, http.StatusOK, "What the mail provider has heard of addresses: bounces and complaints; each report counts once"},
	{"hear-sandbox", http.MethodPost, "/api/v1/webhooks/sandbox", Signed, http.StatusOK, "An event of the sandbox's, where nobody pays"},
	{"show-sandbox-payment", http.MethodGet, sandbox.PagePath + "{id}", Address, http.StatusOK, "The sandbox's page on which a payment is confirmed"},
	{"confirm-sandbox-payment", http.MethodPost, sandbox.PagePath + "{id}", Address, http.StatusSeeOther, "Confirm a payment of the sandbox's, or refuse it"},

	{"search", http.MethodGet, "/api/v1/search", Public, http.StatusOK, "Find events, performers, venues and tours by words, and events by day, place, price and what is left"},
	{"suggest", http.MethodGet, "/api/v1/suggest", Public, http.StatusOK, "What somebody may be typing the name of"},
	{"get-listing", http.MethodGet, "/api/v1/listing", Public, http.StatusOK, "The most popular events, of all categories or of one"},

	{"list-coupons", http.MethodGet, "/api/v1/coupons", Public, http.StatusOK, "Coupons that are given out now, by shop, category and product"},
	{"get-coupon", http.MethodGet, "/api/v1/coupons/{id}", Public, http.StatusOK, "A coupon, and how many are left"},
	{"list-shops", http.MethodGet, "/api/v1/shops", Public, http.StatusOK, "Shops that have coupons"},
	{"list-products", http.MethodGet, "/api/v1/shops/{shop}/products", Public, http.StatusOK, "What a shop has coupons for"},
	{"list-categories", http.MethodGet, "/api/v1/categories", Public, http.StatusOK, "The categories of the coupons that are given out now"},
	{"create-bag", http.MethodPost, "/api/v1/bags", Public, http.StatusCreated, "A new bag for coupons, and its key"},
	{"list-bag", http.MethodGet, "/api/v1/bag", Bag, http.StatusOK, "The coupons of this bag"},
	{"claim-coupon", http.MethodPost, "/api/v1/coupons/{id}/claim", Bag, http.StatusCreated, "Put a copy of a coupon into this bag"},
	{"take-coupon", http.MethodPost, "/api/v1/bag/coupons", Bag, http.StatusCreated, "Put a coupon that somebody gave you into this bag"},
	{"get-bag-coupon", http.MethodGet, "/api/v1/bag/coupons/{id}/{number}", Bag, http.StatusOK, "A coupon of this bag, and its history"},
	{"collect-order", http.MethodPost, "/api/v1/bag/orders", Bag, http.StatusOK, "Put the coupons that an order bought into this bag"},

	{"sign-up", http.MethodPost, "/api/v1/accounts", Doorstep, http.StatusAccepted, "Ask for an account; a letter says how it goes on, and the answer is always the same"},
	{"confirm-address", http.MethodPost, "/api/v1/accounts/confirm", Doorstep, http.StatusOK, "Open the letter of a new account, with the password that was chosen, and be signed in"},
	{"confirm-move", http.MethodPost, "/api/v1/accounts/move", Doorstep, http.StatusNoContent, "Open the letter to another address of an account"},
	{"forgot-password", http.MethodPost, "/api/v1/accounts/forgot", Doorstep, http.StatusAccepted, "Ask for the letter of a forgotten password; the answer is always the same"},
	{"reset-password", http.MethodPost, "/api/v1/accounts/reset", Doorstep, http.StatusNoContent, "Choose another password by that letter; all sign-ins end"},
	{"sign-in", http.MethodPost, "/api/v1/accounts/sign-in", Doorstep, http.StatusOK, "Sign in, and get the cookie of it"},
	{"sign-in-second", http.MethodPost, "/api/v1/accounts/second", Doorstep, http.StatusOK, "Show a code of the second factor, or a recovery code, and get another cookie"},
	{"sign-out", http.MethodPost, "/api/v1/accounts/sign-out", Doorstep, http.StatusNoContent, "End the sign-in of the cookie"},
	{"get-sign-in-providers", http.MethodGet, "/api/v1/accounts/providers", Public, http.StatusOK, "Where else people may sign in"},
	{"begin-outside-sign-in", http.MethodPost, "/api/v1/accounts/providers/{name}", Doorstep, http.StatusOK, "Begin to sign in elsewhere, and get the address to go to"},
	{"end-outside-sign-in", http.MethodGet, "/api/v1/accounts/providers/{name}/back", Doorstep, http.StatusSeeOther, "Where the provider sends people back to: signs in, or joins an account with one there, and leads on"},
	{"get-me", http.MethodGet, mePath, Account, http.StatusOK, "The account that is signed in"},
	{"put-me", http.MethodPut, mePath, Account, http.StatusOK, "Change the profile"},
	{"export-me", http.MethodGet, mePath + "/export", Account, http.StatusOK, "Everything that is kept of this person, as a file"},
	{"erase-me", http.MethodPost, mePath + "/erase", Account, http.StatusNoContent, "Delete the account; tickets stay good, and what was bought stays in the ledgers without a name"},
	{"set-password", http.MethodPut, mePath + "/password", Account, http.StatusNoContent, "Change the password; all other sign-ins end"},
	{"move-me", http.MethodPut, mePath + "/email", Account, http.StatusAccepted, "Ask for the letter to another address, which the account has once that is opened"},
	{"get-sign-ins", http.MethodGet, mePath + "/sign-ins", Account, http.StatusOK, "Where this person is signed in"},
	{"end-sign-in", http.MethodDelete, mePath + "/sign-ins/{id}", Account, http.StatusNoContent, "Sign out there"},
	{"end-other-sign-ins", http.MethodDelete, mePath + "/sign-ins", Account, http.StatusNoContent, "Sign out everywhere but here"},
	{"begin-second-factor", http.MethodPut, mePath + "/second-factor", Account, http.StatusOK, "What an authenticator needs; it counts once a code of it was shown"},
	{"prove-second-factor", http.MethodPost, mePath + "/second-factor/prove", Account, http.StatusOK, "Show the first code, and get the recovery codes; all other sign-ins end"},
	{"remove-second-factor", http.MethodPost, mePath + "/second-factor/remove", Account, http.StatusNoContent, "Do without, by a code"},
	{"get-identities", http.MethodGet, mePath + "/identities", Account, http.StatusOK, "The accounts elsewhere with which this person signs in"},
	{"join-identity", http.MethodPut, mePath + "/providers/{name}", Account, http.StatusOK, "Begin to join this account with one at a provider, and get the address to go to"},
	{"part-identity", http.MethodDelete, mePath + "/identities/{id}", Account, http.StatusNoContent, "Sign in with an account elsewhere no more; what came by it ends"},
	{"get-my-tickets", http.MethodGet, mePath + "/tickets", Account, http.StatusOK, "Tickets that others have given to this account"},
	{"list-my-orders", http.MethodGet, mePath + "/orders", Account, http.StatusOK, "What this account has bought: unused tickets first"},
	{"get-my-order", http.MethodGet, mePath + "/orders/{id}", Account, http.StatusOK, "An order of this account, and its tickets"},
	{"get-my-standing", http.MethodGet, mePath + "/events/{id}/review", Account, http.StatusOK, "Whether this person was at an event, and may review it; their review, if there is one"},
	{"list-my-posts", http.MethodGet, mePath + "/posts", Account, http.StatusOK, "Reviews, questions and comments of this person, and how each stands"},
	{"create-post", http.MethodPost, mePath + "/posts", Account, http.StatusCreated, "Review an event, by who was there; ask about one, or comment"},
	{"put-my-post", http.MethodPut, mePath + "/posts/{post}", Account, http.StatusOK, "Change a review"},
	{"withdraw-post", http.MethodDelete, mePath + "/posts/{post}", Account, http.StatusNoContent, "Take back what was written; its words are forgotten"},
	{"report-post", http.MethodPut, mePath + "/reports/{post}", Account, http.StatusNoContent, "Have staff look at what somebody has written"},
	{"list-my-newsletters", http.MethodGet, mePath + "/newsletters", Account, http.StatusOK, "Newsletters that this person gets, or may: of whom they have bought from"},
	{"subscribe", http.MethodPut, mePath + "/newsletters/{organization}", Account, http.StatusNoContent, "Ask for the newsletter of an organization"},
	{"unsubscribe", http.MethodDelete, mePath + "/newsletters/{organization}", Account, http.StatusNoContent, "Have it no more"},
	{"show-newsletter-step", http.MethodGet, newsletterStep, Address, http.StatusOK, "The page to which a letter links: it asks whether somebody wants a newsletter, or no more"},
	{"take-newsletter-step", http.MethodPost, newsletterStep, Address, http.StatusOK, "The press of its button; to leave, also what mail programs send (RFC 8058)"},
	{"list-my-messages", http.MethodGet, mePath + "/messages", Account, http.StatusOK, "What was told to this person, the newest first, and how much they have not read"},
	{"get-my-channels", http.MethodGet, mePath + "/channels", Account, http.StatusOK, "How this person wants to be told of what"},
	{"put-my-channels", http.MethodPut, mePath + "/channels", Account, http.StatusOK, "Choose how to be told: by mail, by text message, or here alone; to another number a code is texted first"},
	{"send-phone-code", http.MethodPost, mePath + "/channels/code", Account, http.StatusAccepted, "Have another code texted to the number that this person has given"},
	{"prove-phone", http.MethodPost, mePath + "/channels/prove", Account, http.StatusOK, "Show the code that was texted, and be told there from now on"},
	{"mark-my-message", http.MethodPut, mePath + "/messages/{message}", Account, http.StatusNoContent, "Keep that a message was read, or was not"},
	{"accept-invitation", http.MethodPost, mePath + "/invitations/accept", Account, http.StatusOK, "Take an invitation to work for an organization, by the link of its letter"},
	{"list-followed", http.MethodGet, mePath + "/performers", Account, http.StatusOK, "The performers whom this account follows, and when they are on next"},
	{"get-followed", http.MethodGet, mePath + "/performers/{id}", Account, http.StatusOK, "Whether this account follows a performer"},
	{"follow", http.MethodPut, mePath + "/performers/{id}", Account, http.StatusNoContent, "Follow a performer"},
	{"unfollow", http.MethodDelete, mePath + "/performers/{id}", Account, http.StatusNoContent, "Follow a performer no more"},
	{"get-my-reminders", http.MethodGet, mePath + "/reminders", Account, http.StatusOK, "How many days before this account is reminded of what it has bought"},
	{"put-my-reminders", http.MethodPut, mePath + "/reminders", Account, http.StatusOK, "Be reminded so many days before, or not at all; orders of which something else was said stay with that"},
	{"get-watched", http.MethodGet, mePath + "/events/{id}", Account, http.StatusOK, "Whether this account is told when a sale of an event opens"},
	{"wish", http.MethodPost, "/api/v1/events/{id}/wishes", Doorstep, http.StatusAccepted, "Leave an address that is told when a sale of an event opens, once a letter was answered; the answer is always the same"},
	{"show-wish-step", http.MethodGet, wishStep, Address, http.StatusOK, "The page to which a letter links: it asks whether somebody wants to be told when a sale opens, or no more"},
	{"take-wish-step", http.MethodPost, wishStep, Address, http.StatusOK, "The press of its button; to leave, also what mail programs send (RFC 8058)"},
	{"watch", http.MethodPut, mePath + "/events/{id}", Account, http.StatusNoContent, "Be told by letter when a sale of an event opens"},
	{"unwatch", http.MethodDelete, mePath + "/events/{id}", Account, http.StatusNoContent, "Be told that no more"},
	{"claim-orders", http.MethodPost, mePath + "/orders/claim", Account, http.StatusOK, "Take over what this account's address has bought before as a guest"},

	{"list-own-shops", http.MethodGet, organizer + "/shops", Desk, http.StatusOK, "The shops whose coupons somebody looks after"},
	{"put-shop", http.MethodPut, desk, Desk, http.StatusOK, "Make a shop, or change its name"},
	{"put-product", http.MethodPut, desk + "/products/{product}", Desk, http.StatusOK, "Make a product, or change it"},
	{"create-coupon", http.MethodPost, desk + "/coupons", Desk, http.StatusCreated, "Make a coupon"},
	{"list-shop-coupons", http.MethodGet, desk + "/coupons", Desk, http.StatusOK, "The shop's coupons, in one state or all"},
	{"get-shop-coupon", http.MethodGet, desk + "/coupons/{id}", Desk, http.StatusOK, "A coupon of the shop"},
	{"publish-coupon", http.MethodPost, desk + "/coupons/{id}/publish", Desk, http.StatusOK, "Give a coupon out, in its window or in a sale"},
	{"withdraw-coupon", http.MethodPost, desk + "/coupons/{id}/withdraw", Desk, http.StatusOK, "Take a coupon back"},
	{"report-coupon", http.MethodGet, desk + "/coupons/{id}/report", Desk, http.StatusOK, "How many copies are in which state, and what they came to"},
	{"list-coupon-queue", http.MethodGet, desk + "/coupons/{id}/queues/{state}", Desk, http.StatusOK, "The copies in a state, in their order"},
	{"list-coupon-history", http.MethodGet, desk + "/coupons/{id}/history", Desk, http.StatusOK, "What happened to a coupon and its copies"},
	{"verify-coupon", http.MethodPost, desk + "/verify", Desk, http.StatusOK, "What a code is good for"},
	{"redeem-coupon", http.MethodPost, desk + "/redeem", Desk, http.StatusOK, "Use a coupon at the shop's till"},
}

func route(id string) (Route, bool) {
	for _, r := range Routes {
		if r.ID == id {
			return r, true
		}
	}
	return Route{}, false
}

// ErrOrderKeyMissing and ErrOrderKeyInvalid refuse a request that needs an
// order's key. A key that is one, and of another order, is answered with 404, as for an order
// that there is not: which orders and tickets exist is not told.
var (
	ErrOrderKeyMissing = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "order-key-missing", Detail: "Open this with the link of your order."}
	ErrOrderKeyInvalid = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "order-key-invalid", Detail: "This link does not open the order."}
)

type (
	orderKey struct{} // key of the order key that a request carries

	requestName struct{} // key of the name that the edge gave the request
)

// guarded is a router on which a handler is reached through the guards of its route alone;
// whatever is not in the table stays closed. Both are one route of Fiber's: it looks through
// them from the first on, and for guards of their own it would do so twice.
type guarded struct {
	fiber.Router
	guards map[string][]fiber.Handler // by method and path
}

func (s *server) guarded(app *fiber.App) guarded {
	token := fibergate.New(s.gate, gate.Rule{})
	g := guarded{Router: app, guards: map[string][]fiber.Handler{}}
	for _, r := range Routes {
		chain := []fiber.Handler{plainBody}
		if r.Access != Public || r.Method != http.MethodGet {
			chain = []fiber.Handler{private, plainBody}
		}
		switch r.Access {
		case Public:
		case Admission:
			chain = append(chain, sameOrigin, token, s.addressed)
		case AdmissionOrPass:
			chain = append(chain, sameOrigin, s.passOr(token), s.addressed, cookied)
		case Doorstep:
			chain = append(chain, sameOrigin, s.addressed, cookied)
		case Account:
			chain = append(chain, sameOrigin, s.addressed, cookied, s.needSignIn)
		case ClaimPass:
			chain = append(chain, s.needPass)
		case ListKey:
			chain = append(chain, s.needListKey)
		case OrderLink:
			chain = append(chain, needOrderKey, cookied)
		case Signed: // the handler checks it: the signature is of the body
		case Address:
			chain = append(chain, sameOrigin)
		case Bag:
			chain = append(chain, s.needBag)
		case Desk, SRE, Organizer, Venues, BoxOffice, Door, Supervisor, Team, Admin, Crew:
			chain = append(chain, sameOrigin, s.need(r))
		default:
			continue // no guard: the route stays closed
		}
		g.guards[r.Method+" "+fiberPath(r.Path)] = chain
	}
	return g
}

// Add sets handlers behind the guards of their route.
func (g guarded) Add(method, path string, handlers ...fiber.Handler) fiber.Router {
	chain, ok := g.guards[method+" "+path]
	if !ok {
		chain = []fiber.Handler{closed}
	}
	return g.Router.Add(method, path, append(chain[:len(chain):len(chain)], handlers...)...)
}

// fiberPath is a path of the table as Fiber writes it.
func fiberPath(path string) string { return strings.NewReplacer("{", ":", "}", "").Replace(path) }

func closed(*fiber.Ctx) error { return ropeline.ErrRouteUnknown }

// named keeps the name that the edge gave the request, for the log.
func named(c *fiber.Ctx) error {
	if name := c.Get("X-Request-Id"); name != "" && len(name) <= 64 {
		c.Locals(requestName{}, strings.Clone(name))
	}
	return c.Next()
}

// private keeps answers that are one person's, refusals included, out of every
// cache on the way.
func private(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Next()
}

// sameOrigin refuses state changes that another site makes with the fan's
// cookie.
func sameOrigin(c *fiber.Ctx) error {
	err := ropeline.CheckOrigin(c.Method(), string(c.Request().Host()), func(name string) string { return c.Get(name) })
	if err != nil {
		return err
	}
	return c.Next()
}

// plainBody refuses compressed bodies: Fiber unpacks them without a limit, and
// 465 bytes of gzip in gzip were 150 MB.
func plainBody(c *fiber.Ctx) error {
	if encoding := c.Get(fiber.HeaderContentEncoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return ropeline.ErrBodyEncoded
	}
	return c.Next()
}

func needOrderKey(c *fiber.Ctx) error {
	key := ropeline.Bearer(c.Get(fiber.HeaderAuthorization))
	if key == "" {
		return ErrOrderKeyMissing
	}
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(key); err != nil || len(raw) != 32 {
		return ErrOrderKeyInvalid
	}
	c.Locals(orderKey{}, key)
	return c.Next()
}

// keyOf returns the order key that the guard found.
func keyOf(ctx context.Context) string {
	key, _ := ctx.Value(orderKey{}).(string)
	return key
}
