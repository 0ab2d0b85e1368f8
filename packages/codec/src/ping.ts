/** PINGREQ and PINGRESP (sections 3.12 and 3.13): proof of life, without a body. */

export interface Pingreq {
  readonly type: 'pingreq'
}

export interface Pingresp {
  readonly type: 'pingresp'
}
