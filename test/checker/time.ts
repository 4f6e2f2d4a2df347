/** The time the rules go by: that of a simulation, or of a recorded run that is played again. Milliseconds. */
export interface RuleClock {
  monotonicMs(): number;
}
