export const common = {
  brand: "Ropeline",
  loading: "One moment…",
  retry: "Try again",
  cancel: "Cancel",
  back: "Back",
  offline: "We cannot reach the server. Check your connection; we keep trying.",
  trouble: "Something went wrong on our side. Please try again.",
  tooOften: "Too many requests in a short time. Please wait a moment.",
};
